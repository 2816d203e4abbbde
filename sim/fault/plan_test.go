package fault

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDrawnPlansSurviveTheFile(t *testing.T) {
	for seed := range uint64(200) {
		p := Draw(seed, Default())
		q, err := Decode(p.Encode())
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, p.Encode())
		}
		if d := cmp.Diff(p, q); d != "" {
			t.Fatalf("seed %d: %s", seed, d)
		}
	}
}

func TestDrawIsAFunctionOfTheSeed(t *testing.T) {
	if d := cmp.Diff(Draw(7, Default()), Draw(7, Default())); d != "" {
		t.Fatal(d)
	}
	if cmp.Equal(Draw(7, Default()).Events, Draw(8, Default()).Events) {
		t.Fatal("two seeds, one plan")
	}
}

func TestDrawReachesEveryKind(t *testing.T) {
	seen := make(map[Kind]int)
	for seed := range uint64(100) {
		for _, e := range Draw(seed, Default()).Events {
			seen[e.Kind]++
		}
	}
	for _, k := range Kinds() {
		if seen[k] == 0 {
			t.Errorf("no %s in 100 plans", k)
		}
	}
}

func TestDecodeRefusesNonsense(t *testing.T) {
	valid := string(Draw(1, Default()).Encode())
	if _, err := Decode([]byte(valid)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"no version":    `{"seed": 1}`,
		"unknown field": `{"version": 1, "sed": 1}`,
		"no such node":  `{"version":1,"cluster":{"nodes":3,"voters":3},"events":[{"at":"1s","fault":"pause","node":4}]}`,
		"no node":       `{"version":1,"cluster":{"nodes":3,"voters":3},"events":[{"at":"1s","fault":"slow-link","factor":2}]}`,
		"cut clients":   `{"version":1,"cluster":{"nodes":3,"voters":3},"events":[{"at":"1s","fault":"cut","to":2}]}`,
		"no such fault": `{"version":1,"cluster":{"nodes":3,"voters":3},"events":[{"at":"1s","fault":"meteor","node":1}]}`,
		"no such point": `{"version":1,"cluster":{"nodes":3,"voters":3},"armed":[{"name":"zoo/0","terms":"return(true)"}]}`,
		"random terms":  `{"version":1,"cluster":{"nodes":3,"voters":3},"events":[{"at":"1s","fault":"arm","node":1,"failpoint":"storage/sync","terms":"5%return"}]}`,
		"lone group":    `{"version":1,"cluster":{"nodes":3,"voters":3},"events":[{"at":"1s","fault":"partition","groups":[[1,2,3]]}]}`,
		"trailing":      valid + "{}",
	} {
		if _, err := Decode([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
