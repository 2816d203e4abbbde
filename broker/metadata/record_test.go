package metadata

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odradek/broker/wire"
)

func ptr(s string) *string { return &s }

// fixtures are bytes worked out by hand from Kafka's schemas: frame version, type
// and version, then the fields. Spaces separate fields.
var fixtures = []struct {
	name   string
	record Record
	bytes  string
}{
	{
		"feature level",
		&FeatureLevelRecord{Name: "metadata.version", Level: 25},
		"01 0c 00" + "11 6d657461646174612e76657273696f6e" + "0019" + "00",
	}, {
		"topic",
		&TopicRecord{Name: "foo", TopicID: wire.UUID{0: 1, 15: 2}},
		"01 02 00" + "04 666f6f" + "01000000000000000000000000000002" + "00",
	}, {
		"broker registration",
		&RegisterBrokerRecord{
			BrokerID: 3, IncarnationID: wire.UUID{15: 9}, BrokerEpoch: 258, Fenced: true,
			Endpoints: []Endpoint{{"PLAINTEXT", "h", 9092, 0}},
			Features:  []FeatureRange{{"f", 1, 25}},
			Rack:      "r", LogDirs: []wire.UUID{{15: 7}},
		},
		"01 00 03" + "00000003" + "00" + "00000000000000000000000000000009" + "0000000000000102" +
			"02 0a504c41494e54455854 0268 2384 0000 00" + // one endpoint
			"02 0266 0001 0019 00" + // one feature
			"02 72" + "01" + "00" + // rack, fenced, not in controlled shutdown
			"01 00 11 02 00000000000000000000000000000007", // one tag: 0, 17 bytes, one directory
	}, {
		"partition without eligible replicas",
		&PartitionRecord{
			PartitionID: 1, TopicID: wire.UUID{15: 2}, Replicas: []wire.NodeID{1, 2}, ISR: []wire.NodeID{1},
			RemovingReplicas: []wire.NodeID{}, AddingReplicas: []wire.NodeID{},
			Leader: 1, LeaderEpoch: 5, PartitionEpoch: 6, Directories: []wire.UUID{{15: 7}, {15: 8}},
		},
		"01 03 02" + "00000001" + "00000000000000000000000000000002" +
			"03 00000001 00000002" + "02 00000001" + "01" + "01" +
			"00000001" + "00000005" + "00000006" +
			"03 00000000000000000000000000000007 00000000000000000000000000000008" +
			"00",
	}, {
		"partition with all tags",
		&PartitionRecord{
			TopicID: wire.UUID{15: 2}, Replicas: []wire.NodeID{1}, ISR: []wire.NodeID{}, RemovingReplicas: []wire.NodeID{},
			AddingReplicas: []wire.NodeID{}, Leader: -1, Directories: []wire.UUID{},
			LeaderRecoveryState: Recovering, ELR: []wire.NodeID{1}, LastKnownELR: []wire.NodeID{2},
		},
		"01 03 02" + "00000000" + "00000000000000000000000000000002" +
			"02 00000001" + "01" + "01" + "01" + "ffffffff" + "00000000" + "00000000" + "01" +
			"03" + "00 01 01" + "01 05 02 00000001" + "02 05 02 00000002",
	}, {
		"partition change of the leader only",
		&PartitionChangeRecord{TopicID: wire.UUID{15: 2}, PartitionID: 4, Leader: 2, LeaderRecoveryState: NoRecoveryChange},
		"01 05 02" + "00000004" + "00000000000000000000000000000002" + "01" + "01 04 00000002",
	}, {
		"partition change that empties the ISR",
		&PartitionChangeRecord{
			TopicID: wire.UUID{15: 2}, ISR: []wire.NodeID{}, Leader: -1, LeaderRecoveryState: NoRecoveryChange,
			ELR: []wire.NodeID{1}, LastKnownELR: []wire.NodeID{1},
		},
		"01 05 02" + "00000000" + "00000000000000000000000000000002" + "04" +
			"00 01 01" + "01 04 ffffffff" + "06 05 02 00000001" + "07 05 02 00000001",
	}, {
		"config",
		&ConfigRecord{Resource: Resource{TopicResource, "t"}, Name: "n", Value: ptr("v")},
		"01 04 00" + "02" + "02 74" + "02 6e" + "02 76" + "00",
	}, {
		"config of a group",
		&ConfigRecord{Resource: Resource{GroupResource, "g"}, Name: "n", Value: ptr("v")},
		"01 04 00" + "20" + "02 67" + "02 6e" + "02 76" + "00",
	}, {
		"config deletion",
		&ConfigRecord{Resource: Resource{BrokerResource, ""}, Name: "n"},
		"01 04 00" + "04" + "01" + "02 6e" + "00" + "00",
	}, {
		"broker fenced",
		&BrokerRegistrationChangeRecord{BrokerID: 1, BrokerEpoch: 2, Fenced: SetTrue},
		"01 11 02" + "00000001" + "0000000000000002" + "01" + "00 01 01",
	}, {
		"broker unfenced",
		&BrokerRegistrationChangeRecord{BrokerID: 1, BrokerEpoch: 2, Fenced: SetFalse},
		"01 11 02" + "00000001" + "0000000000000002" + "01" + "00 01 ff",
	}, {
		"broker unregistered",
		&UnregisterBrokerRecord{BrokerID: 1, BrokerEpoch: 2},
		"01 01 00" + "00000001" + "0000000000000002" + "00",
	}, {
		"fence", &FenceBrokerRecord{1, 2}, "01 07 00" + "00000001" + "0000000000000002" + "00",
	}, {
		"unfence", &UnfenceBrokerRecord{1, 2}, "01 08 00" + "00000001" + "0000000000000002" + "00",
	}, {
		"topic removed", &RemoveTopicRecord{wire.UUID{15: 2}}, "01 09 00" + "00000000000000000000000000000002" + "00",
	}, {
		"producer ids",
		&ProducerIDsRecord{BrokerID: 1, BrokerEpoch: 2, NextProducerID: 1000},
		"01 0f 00" + "00000001" + "0000000000000002" + "00000000000003e8" + "00",
	}, {
		"no operation", &NoOpRecord{}, "01 14 00" + "00",
	},
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordsHaveKafkasBytes(t *testing.T) {
	for _, f := range fixtures {
		want := unhex(t, f.bytes)
		if got := Append(nil, f.record); !cmp.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", f.name, got, want)
		}
		got, err := Decode(want)
		if err != nil {
			t.Errorf("%s: %v", f.name, err)
		} else if diff := cmp.Diff(f.record, got); diff != "" {
			t.Errorf("%s: %s", f.name, diff)
		}
	}
}

func TestOldVersionsAndUnknownTagsAreRead(t *testing.T) {
	// Version 0 of a partition has no directories, and tag 9 is from the future.
	r, err := Decode(unhex(t, "01 03 00"+"00000000"+"00000000000000000000000000000002"+
		"02 00000001"+"02 00000001"+"01"+"01"+"00000001"+"00000000"+"00000000"+"01 09 02 beef"))
	if err != nil {
		t.Fatal(err)
	}
	if p := r.(*PartitionRecord); p.Leader != 1 || p.Directories != nil || p.LeaderRecoveryState != Recovered {
		t.Errorf("read %+v", p)
	}
	// Version 0 of a registration ends with the fenced flag.
	r, err = Decode(unhex(t, "01 00 00"+"00000003"+"00000000000000000000000000000009"+"0000000000000102"+"01"+"01"+"00"+"01"+"00"))
	if err != nil {
		t.Fatal(err)
	}
	if b := r.(*RegisterBrokerRecord); b.BrokerID != 3 || !b.Fenced || b.Rack != "" {
		t.Errorf("read %+v", b)
	}
}

func TestDamagedRecordsAreErrors(t *testing.T) {
	for _, f := range fixtures {
		whole := unhex(t, f.bytes)
		for n := range whole {
			if _, err := Decode(whole[:n]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s cut to %d bytes: %v", f.name, n, err)
			}
		}
		if _, err := Decode(append(whole, 0)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s with a byte too many: %v", f.name, err)
		}
	}
	for _, bytes := range []string{"02 02 00 00", "01 ffffffff0f 00 00"} {
		if _, err := Decode(unhex(t, bytes)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", bytes, err)
		}
	}
	for _, bytes := range []string{"01 63 00 00", "01 02 01 00"} {
		if _, err := Decode(unhex(t, bytes)); !errors.Is(err, ErrUnknownRecord) {
			t.Errorf("%s: %v", bytes, err)
		}
	}
}

// FuzzDecode: whatever bytes are read as a record, writing and reading it again
// gives the same record, and applying it never panics.
func FuzzDecode(f *testing.F) {
	for _, fixture := range fixtures {
		b, err := hex.DecodeString(strings.ReplaceAll(fixture.bytes, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		first := Append(nil, r)
		again, err := Decode(first)
		if err != nil {
			t.Fatalf("%x was read from %x, but: %v", first, b, err)
		}
		if second := Append(nil, again); !cmp.Equal(first, second) {
			t.Fatalf("%x became %x", first, second)
		}
		m := sampleImage(t)
		_ = m.Apply(r) // an error is fine
		m.Records()
	})
}
