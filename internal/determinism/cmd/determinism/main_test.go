package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"odradek/internal/golist"
)

// The tool as go vet runs it, over a package with a file that exists only for the go
// command.
func TestVetToolFindsAPlantedViolation(t *testing.T) {
	root, err := golist.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tool := filepath.Join(dir, "determinism")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	source := "package failpoint\n\nimport \"time\"\n\nfunc now() time.Time { return time.Now() }\n\nvar _ = now\n"
	planted, overlay := filepath.Join(dir, "planted.go"), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, "broker/failpoint/planted.go"): planted}})
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{planted: source, overlay: string(text)} {
		if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	vet := exec.Command("go", "vet", "-vettool="+tool, "-overlay="+overlay, "./broker/failpoint")
	vet.Dir = root
	out, err := vet.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "planted.go:5:") || !strings.Contains(string(out), "time.Now: time comes from env.Clock") {
		t.Errorf("go vet: %v\n%s", err, out)
	}
	vet = exec.Command("go", "vet", "-vettool="+tool, "./broker/failpoint", "./broker/realenv")
	vet.Dir = root
	if out, err := vet.CombinedOutput(); err != nil {
		t.Errorf("without it: %v\n%s", err, out)
	}
}
