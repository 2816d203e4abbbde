package wire

import (
	"strings"
	"testing"
)

func TestTopicNames(t *testing.T) {
	for _, name := range []string{"a", "A-z_0.9", "...", "__consumer_offsets", strings.Repeat("x", 249)} {
		if err := ValidateTopicName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", ".", "..", strings.Repeat("x", 250), "a b", "a/b", "ü", "a\x00", "a:b", "a\n"} {
		if ValidateTopicName(name) == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestNamesCollideOnDotAndUnderscore(t *testing.T) {
	if !TopicNamesCollide("a.b", "a_b") || TopicNamesCollide("a.b", "a.b") || TopicNamesCollide("a.b", "a-b") {
		t.Error("wrong")
	}
}
