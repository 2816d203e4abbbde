package wire

import (
	"fmt"
	"strings"
)

// MaxTopicName is the longest legal topic name, in bytes.
const MaxTopicName = 249

// ValidateTopicName returns nil or why Kafka refuses the name
// (INVALID_TOPIC_EXCEPTION). The limits come from the name of the partition's
// directory: it must be a single path element of at most 255 bytes.
func ValidateTopicName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the empty string is not a topic name")
	case name == "." || name == "..":
		return fmt.Errorf("a topic cannot be named %q", name)
	case len(name) > MaxTopicName:
		return fmt.Errorf("a topic name has at most %d characters, not %d", MaxTopicName, len(name))
	}
	for i := range len(name) {
		c := name[i]
		legal := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
		if !legal {
			return fmt.Errorf("topic name %q has characters other than letters, digits, '.', '_' and '-'", name)
		}
	}
	return nil
}

// TopicNamesCollide reports whether two different names share their metric name,
// in which '.' becomes '_'. Creating such a topic is refused
// (INVALID_TOPIC_EXCEPTION).
func TopicNamesCollide(a, b string) bool {
	return a != b && MetricName(a) == MetricName(b)
}

// MetricName is a topic's name in metrics. Two topics may not share it, so it
// serves as the key of an index against collisions.
func MetricName(topic string) string { return strings.ReplaceAll(topic, ".", "_") }
