package scenarios

import (
	"strings"
	"testing"
	"time"

	"odradek/bench"
)

func TestShippedScenariosAreValidAndNamedAsTheirFiles(t *testing.T) {
	for _, name := range Names() {
		text, err := Text(name)
		if err != nil {
			t.Fatal(err)
		}
		list, err := bench.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, s := range list {
			if s.Name != name || s.Description == "" {
				t.Errorf("%s: its name is %q, its description %q", name, s.Name, s.Description)
			}
			if d := s.WarmupDuration + s.TestDuration; d > 20*time.Second {
				t.Errorf("%s: a repetition takes %v", s.Title(), d)
			}
		}
	}
}

func TestUnknownScenarioNamesThoseThatThereAre(t *testing.T) {
	if _, err := Text("nonsense"); err == nil || !strings.Contains(err.Error(), "smoke") {
		t.Errorf("got %v", err)
	}
}
