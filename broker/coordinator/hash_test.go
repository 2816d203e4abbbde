package coordinator

import "testing"

// The hash codes are Java's.
func TestPartitionForIsJavasHashCode(t *testing.T) {
	for _, c := range []struct {
		key  string
		hash int32
	}{
		{"", 0}, {"a", 97}, {"group-1", 293427299}, {"polygenelubricants", 0}, // -2147483648 has no absolute value: Kafka takes 0
		{"ö😀", 246*31*31 + 0xd83d*31 + 0xde00},
	} {
		if got := PartitionFor(c.key, 1<<30); got != c.hash%(1<<30) {
			t.Errorf("%q: %d, want %d", c.key, got, c.hash%(1<<30))
		}
	}
}
