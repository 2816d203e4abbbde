package realtest_test

import (
	"strings"
	"testing"
)

func TestConsoleShowsAndChangesFeatures(t *testing.T) {
	t.Parallel()
	b := "--bootstrap=" + start(t).Addr
	level := func(name string) string {
		t.Helper()
		for line := range strings.Lines(succeed(t, "", "feature", "list", b)) {
			if fields := strings.Fields(line); fields[0] == name {
				return fields[1] + " of " + fields[2]
			}
		}
		return "unknown"
	}
	if got := level("metadata.version"); got != "25 of 1-25" {
		t.Errorf("metadata.version is %s", got)
	}
	const elr = "eligible.leader.replicas.version"
	succeed(t, "", "feature", "downgrade", elr+"=0", "--dry-run", b)
	if got := level(elr); got != "1 of 0-1" {
		t.Errorf("after a dry run, %s is %s", elr, got)
	}
	succeed(t, "", "feature", "downgrade", elr+"=0", b)
	if got := level(elr); got != "0 of 0-1" {
		t.Errorf("%s is %s", elr, got)
	}
	succeed(t, "", "feature", "upgrade", elr+"=1", b)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"upgrade", elr + "=7"}, "from 0 to 1, not 7"},
		{[]string{"upgrade", elr + "=0"}, "needs a downgrade"},
		{[]string{"downgrade", "metadata.version=24"}, "cannot be lowered"},
		{[]string{"upgrade", "telepathy=1"}, `no feature "telepathy"`},
		{[]string{"upgrade", "telepathy"}, "want NAME=LEVEL"},
	} {
		if _, errs, code := console(t, "", append(append([]string{"feature"}, c.args...), b)...); code != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("feature %v: exit code %d, %q", c.args, code, errs)
		}
	}
}
