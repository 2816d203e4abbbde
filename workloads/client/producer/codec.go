package producer

// Codec is a compression codec by its number in a batch's attributes.
type Codec int8

const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)
