package simtest

import (
	"os"
	"os/exec"
	"testing"
)

// examples/usertest is a module of its own; the module cache that this module's
// dependencies have filled must be enough for it.
func TestAnotherModuleCanImportIt(t *testing.T) {
	if testing.Short() {
		t.Skip("builds another module")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command to build the module with")
	}
	for _, args := range [][]string{{"vet", "./..."}, {"test", "-count=1", "./...", "-odradek.count=2"}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = "../../examples/usertest"
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("go %v: %v\n%s", args, err, out)
		}
	}
}
