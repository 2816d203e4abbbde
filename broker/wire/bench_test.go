package wire

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// benchBatch is a batch of a mebibyte of records, of 1000 bytes each, before
// compression.
func benchBatch(b *testing.B, how Compression) []byte {
	bb := NewBuilder(BatchOptions{Compression: how})
	value := bytes.Repeat([]byte("0123456789 abcdefghijklmn"), 40)
	for bb.Size() < 1<<20 {
		bb.Append(1_700_000_000_000, []byte("key"), value)
	}
	batch, err := bb.Build(nil, NewCodec(4<<20))
	if err != nil {
		b.Fatal(err)
	}
	return batch
}

func BenchmarkValidate1MiB(b *testing.B) {
	for _, how := range allCodecs {
		b.Run(how.String(), func(b *testing.B) {
			batch, codec, rules := benchBatch(b, how), NewCodec(4<<20), looseRules()
			rules.MaxBytes = 4 << 20
			b.SetBytes(1 << 20)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := codec.Validate(batch, rules); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReadBatchHeader(b *testing.B) {
	batch := benchBatch(b, None)
	for b.Loop() {
		if _, err := ReadBatchHeader(batch); err != nil {
			b.Fatal(err)
		}
	}
}

func benchFetch() (*kmsg.FetchResponse, []int) {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = 17
	topic := kmsg.NewFetchResponseTopic()
	p := kmsg.NewFetchResponseTopicPartition()
	p.RecordBatches = make([]byte, 1<<20)
	topic.Partitions = append(topic.Partitions, p)
	resp.Topics = append(resp.Topics, topic)
	return resp, []int{1 << 20}
}

func BenchmarkFetchVector1MiB(b *testing.B) {
	resp, sizes := benchFetch()
	var e FetchEncoder
	b.ReportAllocs()
	for b.Loop() {
		e.Encode(1, resp, sizes)
	}
}

func BenchmarkFetchKmsg1MiB(b *testing.B) {
	resp, _ := benchFetch()
	b.ReportAllocs()
	for b.Loop() {
		AppendResponse(nil, 1, resp)
	}
}

func BenchmarkDecodeProduceRequest(b *testing.B) {
	frame := fixture(b, "none")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := DecodeRequest(frame, everything); err != nil {
			b.Fatal(err)
		}
	}
}
