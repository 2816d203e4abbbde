package wire

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// stripTags removes unknown tags, which FetchEncoder does not write.
func stripTags(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[kmsg.Tags]() {
			v.SetZero()
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				stripTags(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			stripTags(v.Index(i))
		}
	}
}

func TestFetchVectorIsByteIdenticalToKmsg(t *testing.T) {
	var e FetchEncoder // with what the responses before have left
	rapid.Check(t, func(t *rapid.T) {
		resp := kmsg.NewPtrFetchResponse()
		fill(t, reflect.ValueOf(resp).Elem(), 0)
		stripTags(reflect.ValueOf(resp).Elem())
		resp.Version = rapid.Int16Range(4, 18).Draw(t, "version")
		var sizes []int
		var records [][]byte
		for i := range resp.Topics {
			for j := range resp.Topics[i].Partitions {
				p := &resp.Topics[i].Partitions[j]
				if rapid.Bool().Draw(t, "defaults") {
					p.DivergingEpoch.Default()
					p.CurrentLeader.Default()
					p.SnapshotID.Default()
				}
				p.RecordBatches = genBytes(t, "records")
				if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
					p.RecordBatches = make([]byte, 20_000)
				}
				records = append(records, p.RecordBatches)
				if p.RecordBatches == nil {
					sizes = append(sizes, -1)
				} else {
					sizes = append(sizes, len(p.RecordBatches))
				}
			}
		}
		want := AppendResponse(nil, 42, resp)
		var got []byte
		for i, part := range e.Encode(42, resp, sizes) {
			got = append(got, part.Bytes...)
			if part.Records >= 0 {
				if len(records[part.Records]) == 0 {
					t.Fatalf("part %d stands for no records", i)
				}
				got = append(got, records[part.Records]...)
			}
		}
		if !bytes.Equal(want, got) {
			t.Fatalf("version %d: %x, kmsg has %x", resp.Version, got, want)
		}
	})
}

func TestResponsesComeBackAsTheyWereSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(everything.Ranges()).Draw(t, "api")
		resp := kmsg.ResponseForKey(r.Key)
		resp.SetVersion(rapid.Int16Range(r.Min, r.Max).Draw(t, "version"))
		fill(t, reflect.ValueOf(resp).Elem(), 0)
		frame := AppendResponse(nil, 9, resp)
		n, err := ReadFrameSize(frame, MaxFrame)
		if len(frame) >= FramePrefix+minRequestHeader && (err != nil || n != len(frame)-FramePrefix) {
			t.Fatal(n, err)
		}
		got := kmsg.ResponseForKey(r.Key)
		got.SetVersion(resp.GetVersion())
		if err := DecodeResponse(frame[FramePrefix:], 9, got); err != nil {
			t.Fatalf("%T version %d: %v", resp, resp.GetVersion(), err)
		}
		if again := AppendResponse(nil, 9, got); !bytes.Equal(frame, again) {
			t.Fatalf("%T version %d came back different", resp, resp.GetVersion())
		}
		if err := DecodeResponse(frame[FramePrefix:], 10, got); !errors.Is(err, ErrCorrelation) {
			t.Fatalf("another correlation id: %v", err)
		}
	})
}

func TestTruncatedResponseIsAnError(t *testing.T) {
	resp := kmsg.NewPtrMetadataResponse()
	resp.Version = 12
	frame := AppendResponse(nil, 1, resp)[FramePrefix:]
	for cut := range frame {
		got := kmsg.NewPtrMetadataResponse()
		got.Version = 12
		if err := DecodeResponse(frame[:cut], 1, got); !errors.Is(err, ErrBadResponse) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func TestApiVersionsKeepsTheOldHeader(t *testing.T) {
	resp := everything.ApiVersionsResponse(3, nil, -1)
	frame := AppendResponse(nil, 1, resp)
	if want := resp.AppendTo(nil); !bytes.Equal(frame[8:], want) {
		t.Fatal("there is something between the correlation id and the body")
	}
}
