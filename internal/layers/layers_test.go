package layers

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odradek/internal/golist"
)

func root(t *testing.T) string {
	t.Helper()
	dir, err := golist.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestImportsFollowTheTable(t *testing.T) {
	list, err := golist.List(root(t), nil, "./...")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 10 {
		t.Fatalf("only %d packages", len(list))
	}
	for _, v := range Violations(list) {
		t.Error(v)
	}
}

// A file that exists only for the go command: names of failpoints that need ids.
func TestPlantedViolationIsCaught(t *testing.T) {
	dir := root(t)
	source := filepath.Join(t.TempDir(), "planted.go")
	if err := os.WriteFile(source, []byte("package failpoint\n\nimport _ \"odradek/broker/wire\"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(dir, "broker/failpoint/planted.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, text, 0o666); err != nil {
		t.Fatal(err)
	}
	list, err := golist.List(dir, []string{"-overlay", overlay}, "./broker/failpoint")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"broker/failpoint imports broker/wire"}, Violations(list)); d != "" {
		t.Errorf("violations (-want +got):\n%s", d)
	}
}

func TestTable(t *testing.T) {
	pkg := func(path string, imports ...string) *golist.Package {
		for i := range imports {
			imports[i] = module + imports[i]
		}
		return &golist.Package{ImportPath: module + path, Imports: append(imports, "fmt")}
	}
	for _, c := range []struct {
		pkg  *golist.Package
		want []string
	}{
		{pkg("broker/raft", "broker/wire", "broker/metadata"), nil},
		{pkg("broker/raft", "broker/env", "broker/replica"), []string{"broker/raft imports broker/env", "broker/raft imports broker/replica"}},
		{pkg("broker/coordinator/group", "broker/coordinator", "broker/wire"), nil},
		{pkg("broker", "broker/raft", "broker/coordinator/txn", "broker/fetchsession", "broker/env"), nil},
		{pkg("broker", "sim", "broker/realenv"), []string{"broker imports broker/realenv", "broker imports sim"}},
		{pkg("broker/fetchsession", "broker/env"), []string{"broker/fetchsession imports broker/env"}},
		{pkg("broker/storage", "broker"), []string{"broker/storage imports broker"}},
		{pkg("netsim", "sim", "broker/env"), nil},
		{pkg("netsim", "sim/cluster"), []string{"netsim imports sim/cluster"}},
		{pkg("sim", "broker"), []string{"sim imports broker"}},
		{pkg("sim/harness", "broker", "netsim", "sim/disk", "checker/history"), nil},
		{pkg("sim/harness", "broker/realenv"), []string{"sim/harness imports broker/realenv"}},
		{pkg("checker/history", "broker/wire", "broker"), []string{"checker/history imports broker"}},
		{pkg("workloads/client", "netsim"), []string{"workloads/client imports netsim"}},
		{pkg("workloads", "checker/history", "workloads/client/producer"), nil},
		{pkg("workloads/client", "checker/history"), []string{"workloads/client imports checker/history"}},
		{pkg("cmd/odradek", "broker/realenv", "sim/harness"), nil},
		{pkg("newfolder"), []string{"newfolder is in no layer"}},
		{&golist.Package{ImportPath: module + "broker/wire", TestImports: []string{module + "sim"}}, []string{"broker/wire imports sim"}},
		{&golist.Package{ImportPath: module + "broker/wire", XTestImports: []string{module + "sim"}}, nil},
	} {
		if d := cmp.Diff(c.want, Violations([]*golist.Package{c.pkg})); d != "" {
			t.Errorf("%s importing %v (-want +got):\n%s", c.pkg.ImportPath, c.pkg.Imports, d)
		}
	}
}

// A world without threads, sockets and most of the operating system: what compiles
// there cannot reach for them.
func TestSimulatedCodeBuildsForWasip1(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for another system")
	}
	dir := root(t)
	list, err := golist.List(dir, nil, "./broker/...", "./sim/...", "./netsim/...", "./workloads/...", "./checker/...")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"build"}
	for _, p := range list {
		if p.ImportPath != module+"broker/realenv" && len(p.GoFiles) > 0 {
			args = append(args, p.ImportPath)
		}
	}
	if !slices.Contains(args, module+"broker") || len(args) < 10 {
		t.Fatalf("too little to build: %v", args)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
