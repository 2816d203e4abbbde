package wire

import (
	"errors"
	"testing"
)

func TestEndMarkerIsReadAsItWasBuilt(t *testing.T) {
	for _, want := range []EndMarker{{Commit: true, CoordinatorEpoch: 3}, {CoordinatorEpoch: 1<<31 - 1}} {
		b := BuildEndMarker(7, 2, want, 1234)
		h, raw, rest, err := NextBatch(b)
		if err != nil || len(rest) > 0 || !CheckCRC(raw) {
			t.Fatalf("not one good batch: %v, %d bytes left", err, len(rest))
		}
		if !h.Control() || !h.Transactional() || h.ProducerID != 7 || h.ProducerEpoch != 2 || h.BaseSequence != NoSequence || h.MaxTimestamp != 1234 {
			t.Errorf("header %+v", h)
		}
		if got, ok, err := ReadEndMarker(&h, raw); err != nil || !ok || got != want {
			t.Errorf("read %+v, %v, %v; want %+v", got, ok, err, want)
		}
	}
}

// A follower reads markers that a leader sent.
func FuzzReadEndMarker(f *testing.F) {
	marker := BuildEndMarker(7, 2, EndMarker{Commit: true, CoordinatorEpoch: 3}, 1234)
	f.Add(marker[BatchHeaderSize:])
	f.Add([]byte{0x7f, 0, 0, 0})
	f.Fuzz(func(t *testing.T, records []byte) {
		raw := append(marker[:BatchHeaderSize:BatchHeaderSize], records...)
		h, err := ReadBatchHeader(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := ReadEndMarker(&h, raw); ok && err != nil || err != nil && !errors.Is(err, ErrInvalidRecord) {
			t.Errorf("read %v, %v", ok, err)
		}
	})
}

func TestOtherBatchesAreNoEndMarkers(t *testing.T) {
	data := NewBuilder(BatchOptions{Producer: &Producer{ID: 1}})
	data.Append(0, nil, nil)
	raw, err := data.Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, _ := ReadBatchHeader(raw)
	if _, ok, err := ReadEndMarker(&h, raw); ok || err != nil {
		t.Errorf("a data batch: %v, %v", ok, err)
	}

	raw = BuildEndMarker(1, 0, EndMarker{}, 0)
	h, _ = ReadBatchHeader(raw)
	h.Count = 0
	if _, ok, err := ReadEndMarker(&h, raw); ok || err != nil {
		t.Errorf("a marker that was cleaned: %v, %v", ok, err)
	}

	bad := NewBuilder(BatchOptions{Producer: &Producer{ID: 1}, Transactional: true, Control: true})
	bad.Append(0, []byte{0}, nil)
	if raw, err = bad.Build(nil, nil); err != nil {
		t.Fatal(err)
	}
	h, _ = ReadBatchHeader(raw)
	if _, _, err := ReadEndMarker(&h, raw); !errors.Is(err, ErrInvalidRecord) {
		t.Errorf("a control record with half a key: %v", err)
	}
}
