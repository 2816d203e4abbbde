package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestOldClientsFindTheExactVersionsTheyLookFor(t *testing.T) {
	for _, c := range [][2]int16{{0, 3}, {0, 7}, {1, 4}, {1, 10}, {10, 0}, {11, 0}, {2, 1}, {9, 1}, {8, 2}, {22, 0}, {23, 2}, {17, 0}} {
		if !everything.Serves(c[0], c[1]) {
			t.Errorf("key %d version %d is not served", c[0], c[1])
		}
	}
}

func TestProduceIsAdvertisedFromZeroButServedFromThree(t *testing.T) {
	r, ok := everything.Lookup(0)
	if !ok || r.Min != 0 {
		t.Fatalf("%+v", r)
	}
	for version := int16(0); version < 3; version++ {
		if everything.Serves(0, version) {
			t.Errorf("version %d is served", version)
		}
	}
	if !everything.Serves(0, 3) {
		t.Error("version 3 is not")
	}
}

func TestOnlyWhatHasAHandlerIsAdvertised(t *testing.T) {
	v := ServedVersions(18, 0, 3, 0)
	want := []VersionRange{{0, 0, 12}, {3, 0, 13}, {18, 0, 4}}
	if d := cmp.Diff(want, v.Ranges()); d != "" {
		t.Fatal(d)
	}
	if v.Serves(1, 4) {
		t.Error("Fetch is served without a handler")
	}
	if _, ok := v.Lookup(1); ok {
		t.Error("Fetch is advertised without a handler")
	}
	if keys := SupportedKeys(); len(ServedVersions(keys...).Ranges()) != len(keys) {
		t.Error("the table is not sorted or has a key twice")
	}
}

func TestUnknownKeyIsABug(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a handler for key 71 was accepted")
		}
	}()
	ServedVersions(71)
}

func TestVersionsAreNegotiated(t *testing.T) {
	for _, c := range []struct {
		key, min, max, want int16
		ok                  bool
	}{
		{1, 0, 17, 17, true}, {1, 0, 99, 18, true}, {1, 4, 4, 4, true}, {1, 0, 3, 0, false}, {1, 19, 30, 0, false}, {0, 0, 2, 0, false}, {76, 0, 1, 0, false},
	} {
		got, ok := everything.Max(c.key, c.min, c.max)
		if got != c.want || ok != c.ok {
			t.Errorf("key %d against %d to %d: %d, %v", c.key, c.min, c.max, got, ok)
		}
	}
}

func TestApiVersionsAnswersEveryVersion(t *testing.T) {
	features := []Feature{{"metadata.version", 7, 29, 25}, {"kraft.version", 0, 1, 1}, {"group.version", 0, 1, 0}}
	for version := int16(0); version <= 4; version++ {
		resp := everything.ApiVersionsResponse(version, features, 99)
		if resp.Version != version || resp.ErrorCode != 0 || len(resp.ApiKeys) != len(everything.Ranges()) {
			t.Fatalf("version %d: %+v", version, resp)
		}
		back := kmsg.NewPtrApiVersionsResponse()
		back.Version = version
		if err := DecodeResponse(AppendResponse(nil, 1, resp)[FramePrefix:], 1, back); err != nil {
			t.Fatal(err)
		}
		supported, finalized := 0, 0
		if version >= 3 {
			supported, finalized = 1, 2
		}
		if version >= 4 {
			supported = 3 // a lowest level of 0 is no longer taken for corrupt
		}
		if len(back.SupportedFeatures) != supported || len(back.FinalizedFeatures) != finalized {
			t.Errorf("version %d: features %+v, finalized %+v", version, back.SupportedFeatures, back.FinalizedFeatures)
		}
		if version >= 3 && back.FinalizedFeaturesEpoch != 99 {
			t.Errorf("version %d: epoch %d", version, back.FinalizedFeaturesEpoch)
		}
	}
}

func TestApiVersionsAboveOursIsAnsweredInVersionZero(t *testing.T) {
	for _, version := range []int16{5, 100, -1} {
		resp := everything.ApiVersionsResponse(version, nil, -1)
		if resp.Version != 0 || resp.ErrorCode != 35 || len(resp.ApiKeys) != 1 || resp.ApiKeys[0].ApiKey != 18 {
			t.Errorf("version %d: %+v", version, resp)
		}
	}
}

func TestCapsLowerWhatIsAdvertised(t *testing.T) {
	v := ServedVersions(0, 26, 68)
	capped := v.Capped(VersionCap{26, 4}, VersionCap{68, -1}, VersionCap{0, 99}, VersionCap{1, 2})
	if diff := cmp.Diff([]VersionRange{{0, 0, 12}, {26, 0, 4}}, capped.Ranges()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !v.Serves(26, 5) || !v.Serves(68, 0) {
		t.Error("the caps changed what is served")
	}
}
