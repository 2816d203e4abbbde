package determinism

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"odradek/internal/golist"
)

// The files in testdata say what is to be found in them: a comment
//
//	// want `pattern` `pattern`
//
// expects one diagnostic for each pattern on its line, or n lines below with want-n
// counted upwards.
func TestRules(t *testing.T) {
	std, err := golist.List("", []string{"-export", "-deps"}, "crypto/rand", "hash/maphash", "log", "math/rand", "math/rand/v2",
		"net", "net/url", "os/exec", "sync/atomic", "context", "fmt", "reflect", "sort", "time", "slices", "maps")
	if err != nil {
		t.Fatal(err)
	}
	exports := golist.Exports(std)
	dirs, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		t.Run(d.Name(), func(t *testing.T) {
			path := "odradek/broker/" + d.Name()
			if d.Name() == "clean" {
				path = "odradek/cmd/clean"
			}
			files, err := filepath.Glob(filepath.Join("testdata", d.Name(), "*.go"))
			if err != nil {
				t.Fatal(err)
			}
			fset := token.NewFileSet()
			syntax, found := diagnose(t, fset, path, files, exports)
			want := expectations(t, fset, syntax)
			for _, f := range found {
				at, message, _ := strings.Cut(f, ": ")
				i := slices.IndexFunc(want[at], func(p *regexp.Regexp) bool { return p.MatchString(message) })
				if i < 0 {
					t.Errorf("unexpected: %s", f)
					continue
				}
				want[at] = slices.Delete(want[at], i, i+1)
			}
			for _, at := range slices.Sorted(maps.Keys(want)) {
				for _, p := range want[at] {
					t.Errorf("%s: nothing matches %q", at, p)
				}
			}
		})
	}
}

// diagnose returns the diagnostics as "file:line: message".
func diagnose(t *testing.T, fset *token.FileSet, path string, files []string, exports map[string]string) ([]*ast.File, []string) {
	t.Helper()
	imports := golist.Importer(fset, func(path string) string { return exports[path] })
	syntax, pkg, info, err := golist.Check(fset, path, "", files, imports, "")
	if err != nil {
		t.Fatal(err)
	}
	list, err := Diagnose(fset, syntax, pkg, info)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, d := range list {
		p := fset.Position(d.Pos)
		found = append(found, fmt.Sprintf("%s:%d: %s", p.Filename, p.Line, d.Message))
	}
	return syntax, found
}

var (
	wantComment = regexp.MustCompile("want(-[0-9]+)? (`.*`)")
	wantPattern = regexp.MustCompile("`([^`]*)`")
)

func expectations(t *testing.T, fset *token.FileSet, files []*ast.File) map[string][]*regexp.Regexp {
	t.Helper()
	want := map[string][]*regexp.Regexp{}
	for _, f := range files {
		for _, g := range f.Comments {
			for _, c := range g.List {
				m := wantComment.FindStringSubmatch(c.Text)
				if m == nil {
					continue
				}
				p := fset.Position(c.Pos())
				if m[1] != "" {
					n, err := strconv.Atoi(m[1])
					if err != nil {
						t.Fatal(err)
					}
					p.Line += n
				}
				at := fmt.Sprintf("%s:%d", p.Filename, p.Line)
				for _, pattern := range wantPattern.FindAllStringSubmatch(m[2], -1) {
					want[at] = append(want[at], regexp.MustCompile(pattern[1]))
				}
			}
		}
	}
	return want
}

func TestModuleObeysTheRules(t *testing.T) {
	root, err := golist.Root()
	if err != nil {
		t.Fatal(err)
	}
	list, err := golist.List(root, []string{"-export", "-deps"}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	exports, checked := golist.Exports(list), 0
	for _, p := range list {
		if p.DepOnly || !Bound(p.ImportPath) || len(p.GoFiles) == 0 {
			continue
		}
		checked++
		files := make([]string, len(p.GoFiles))
		for i, name := range p.GoFiles {
			files[i] = filepath.Join(p.Dir, name)
		}
		_, found := diagnose(t, token.NewFileSet(), p.ImportPath, files, exports)
		for _, f := range found {
			t.Error(strings.TrimPrefix(f, root+"/"))
		}
	}
	if checked < 10 {
		t.Errorf("only %d packages were checked", checked)
	}
}

func TestRulesBindWhatRunsInTheSimulation(t *testing.T) {
	for path, want := range map[string]bool{
		"odradek/broker":                          true,
		"odradek/broker/env":                      true,
		"odradek/broker/coordinator/group":        true,
		"odradek/broker/wire [odradek/wire.test]": true,
		"odradek/sim/harness":                     true,
		"odradek/netsim":                          true,
		"odradek/workloads/client":                true,
		"odradek/checker/history":                 true,
		"odradek/broker/realenv":                  false,
		"odradek/cmd/odradek":                     false,
		"odradek/bench":                           false,
		"odradek/reports":                         false,
		"odradek/internal/golist":                 false,
		"odradek/benchmark":                       true, // bound until said otherwise
		"fmt":                                     false,
		"github.com/twmb/franz-go/pkg/kmsg":       false,
	} {
		if got := Bound(path); got != want {
			t.Errorf("Bound(%q) = %v", path, got)
		}
	}
}
