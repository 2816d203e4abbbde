// Determinism runs the analyzer as a tool of go vet:
//
//	go build -o determinism odradek/internal/determinism/cmd/determinism
//	go vet -vettool=./determinism ./...
//
// It speaks the protocol that `go doc golang.org/x/tools/go/analysis/unitchecker`
// describes: -V=full, -flags, or the name of a file that describes one package.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"go/token"
	"io"
	"os"
	"path/filepath"

	"odradek/internal/determinism"
	"odradek/internal/golist"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: go vet -vettool=determinism packages"))
	}
	// Flags of the standard vet may come before the file.
	switch arg := os.Args[len(os.Args)-1]; arg {
	case "-V=full":
		// The go command keeps results until the tool changes.
		sum, err := ownHash()
		if err != nil {
			fail(err)
		}
		fmt.Printf("%s version devel determinism buildID=%x\n", filepath.Base(os.Args[0]), sum)
	case "-flags":
		fmt.Println("[]")
	default:
		found, err := vet(arg)
		if err != nil {
			fail(err)
		}
		if found {
			os.Exit(1)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "determinism:", err)
	os.Exit(2)
}

func ownHash() ([]byte, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
}

// unit is one package to examine, as the go command describes it.
type unit struct {
	ImportPath  string
	GoVersion   string
	Dir         string
	GoFiles     []string
	ImportMap   map[string]string // import path in the source to package path
	PackageFile map[string]string // package path to export file
	VetxOnly    bool              // only facts are wanted, and we have none
	VetxOutput  string            // where facts go; the file must exist
}

// vet reports whether it found anything.
func vet(config string) (found bool, err error) {
	data, err := os.ReadFile(config)
	if err != nil {
		return false, err
	}
	var u unit
	if err := json.Unmarshal(data, &u); err != nil {
		return false, fmt.Errorf("%s: %w", config, err)
	}
	if u.VetxOutput != "" {
		if err := os.WriteFile(u.VetxOutput, nil, 0o666); err != nil {
			return false, err
		}
	}
	if u.VetxOnly || !determinism.Bound(u.ImportPath) {
		return false, nil
	}
	fset := token.NewFileSet()
	imports := golist.Importer(fset, func(path string) string {
		if mapped := u.ImportMap[path]; mapped != "" {
			path = mapped
		}
		return u.PackageFile[path]
	})
	files, pkg, info, err := golist.Check(fset, u.ImportPath, u.Dir, u.GoFiles, imports, u.GoVersion)
	if err != nil {
		return false, err
	}
	list, err := determinism.Diagnose(fset, files, pkg, info)
	for _, d := range list {
		fmt.Fprintf(os.Stderr, "%s: %s\n", fset.Position(d.Pos), d.Message)
	}
	return len(list) > 0, err
}
