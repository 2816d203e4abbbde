package coordinator

import "unicode/utf16"

// PartitionFor is the partition of an internal topic with n partitions that has the key:
// a group id or transactional id. Kafka's: the absolute value of Java's String.hashCode.
func PartitionFor(key string, n int32) int32 {
	var h int32
	for _, c := range utf16.Encode([]rune(key)) {
		h = 31*h + int32(c)
	}
	if h == -1<<31 {
		h = 0
	}
	return max(h, -h) % n
}
