package producer

import "testing"

// The vectors are those of Kafka's own test of its hash.
func TestMurmur2IsJavas(t *testing.T) {
	for key, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("%q: %d, want %d", key, got, want)
		}
	}
}

func TestKeyPartitionIsNeverNegative(t *testing.T) {
	// "foobar" hashes to a negative number in Java; the sign bit is masked off.
	if got, want := keyPartition([]byte("foobar"), 1000), int32((-790332482&0x7fffffff)%1000); got != want {
		t.Errorf("partition %d, want %d", got, want)
	}
}
