package coordinator

import "odradek/broker/config"

// What a batch takes besides its records, and a record besides its key and value, at
// most. In bytes.
const (
	batchOverhead  = 128
	recordOverhead = 48
)

// BatchLimit is how many bytes of records (SizeOf) a batch may have. What is larger has to
// be refused by the machine: the log would refuse it, and that ends the shard.
func BatchLimit(b *config.Broker) int { return b.TopicDefaults.MaxMessageBytes - batchOverhead }

// SizeOf is how much of a batch records take, at most. In bytes.
func SizeOf(records ...Record) int {
	n := 0
	for _, r := range records {
		n += len(r.Key) + len(r.Value) + recordOverhead
	}
	return n
}

// Append decides records of one batch, which the caller knows to fit.
func (d *Decision) Append(records ...Record) {
	if len(records) > 0 {
		d.Batches = append(d.Batches, Batch{Records: records})
	}
}

// AppendSplit decides records that need not become durable together, in as many batches of
// at most limit bytes as it takes.
func (d *Decision) AppendSplit(limit int, records []Record) {
	size, from := 0, 0
	for i, r := range records {
		if size += SizeOf(r); size > limit && i > from {
			d.Append(records[from:i]...)
			from, size = i, SizeOf(r)
		}
	}
	d.Append(records[from:]...)
}
