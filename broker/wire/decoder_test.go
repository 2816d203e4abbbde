package wire

import (
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// plainRequests are requests that a decoder reads by itself, one for every version.
func plainRequests() []kmsg.Request {
	var reqs []kmsg.Request
	for _, r := range []VersionRange{{Key: keyProduce, Min: lowestProduce, Max: 12}, {Key: keyFetch, Min: 4, Max: 18}} {
		for version := r.Min; version <= r.Max; version++ {
			for _, topics := range []int{0, 1, 2} {
				var req kmsg.Request = producing(version, topics)
				if r.Key == keyFetch {
					req = fetching(version, topics)
				}
				reqs = append(reqs, req)
			}
		}
	}
	return reqs
}

func producing(version int16, topics int) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = version, -1, 30_000
	if topics == 2 {
		req.TransactionID = kmsg.StringPtr("transfers")
	}
	for i := range topics {
		t := kmsg.NewProduceRequestTopic()
		t.Topic = string(rune('a' + i))
		for j := range int32(topics) {
			p := kmsg.NewProduceRequestTopicPartition()
			p.Partition, p.Records = j, make([]byte, 70*j)
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	return req
}

func fetching(version int16, topics int) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.IsolationLevel = version, 500, 1, 50<<20, 1
	if version >= 7 {
		req.SessionID, req.SessionEpoch = 12345, 3
	}
	if version >= 11 {
		req.Rack = "a"
	}
	if version < 15 {
		req.ReplicaID = 7
	} else if topics == 2 {
		req.ReplicaState.ID, req.ReplicaState.Epoch = 3, 77
		req.ClusterID = kmsg.StringPtr("cluster")
	}
	for i := range topics {
		t := kmsg.NewFetchRequestTopic()
		if version < 13 {
			t.Topic = string(rune('a' + i))
		} else {
			t.TopicID[5] = byte(i)
		}
		for j := range int32(topics) {
			p := kmsg.NewFetchRequestTopicPartition()
			p.Partition, p.FetchOffset, p.PartitionMaxBytes = j, 1<<40, 1<<20
			if version >= 9 {
				p.CurrentLeaderEpoch = 4
			}
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	return req
}

func TestPlainRequestsAreReadWithoutKmsg(t *testing.T) {
	var d Decoder
	for _, req := range plainRequests() {
		frame := frameOf(req)
		h, got := d.plain(frame, everything)
		if got == nil {
			t.Errorf("%s %d is not plain", kmsg.NameForKey(req.Key()), req.GetVersion())
			continue
		}
		sameAsKmsg(t, frame, h, got)
	}
}

func TestPlainRequestsTakeOneAllocation(t *testing.T) {
	for _, req := range []kmsg.Request{producing(9, 1), producing(3, 1), fetching(12, 1), fetching(17, 1), fetching(18, 0)} {
		var d Decoder
		frame := frameOf(req)
		allocs := testing.AllocsPerRun(100, func() {
			if _, _, err := d.Decode(frame, everything); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > 1 {
			t.Errorf("%s %d: %v allocations", kmsg.NameForKey(req.Key()), req.GetVersion(), allocs)
		}
	}
}

func sameAsKmsg(t *testing.T, frame []byte, h RequestHeader, got kmsg.Request) {
	t.Helper()
	wantHeader, want, err := DecodeRequest(frame, everything)
	if err != nil || !reflect.DeepEqual(h, wantHeader) {
		t.Fatalf("%x: header %+v, want %+v, %v", frame, h, wantHeader, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%x:\n%+v\nkmsg\n%+v", frame, got, want)
	}
}

// FuzzDecoder holds the decoder to DecodeRequest: what it reads by itself is valid, and the
// same.
func FuzzDecoder(f *testing.F) {
	for _, req := range plainRequests() {
		f.Add(frameOf(req))
	}
	for name := range clientCodecs {
		f.Add(fixture(f, name))
	}
	var d Decoder // with whatever names the frames before have left
	f.Fuzz(func(t *testing.T, frame []byte) {
		if h, got := d.plain(frame, everything); got != nil {
			sameAsKmsg(t, frame, h, got)
		}
	})
}
