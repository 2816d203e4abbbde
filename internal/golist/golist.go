package golist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Package is what `go list -json` tells of a package; see `go help list`.
type Package struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	Imports      []string
	TestImports  []string // of files in the package
	XTestImports []string // of files in the external test package
	Standard     bool
	DepOnly      bool   // not asked for, but imported by what was
	Export       string // file with the compiler's type information
	Module       *struct{ Path string }
}

// List lists the packages that match the patterns, with the given further flags. It
// runs in dir, "" being the present directory.
func List(dir string, flags []string, patterns ...string) ([]*Package, error) {
	out, err := goCommand(dir, append(append([]string{"list", "-json"}, flags...), patterns...)...)
	if err != nil {
		return nil, err
	}
	var list []*Package
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		p := &Package{}
		err := d.Decode(p)
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		list = append(list, p)
	}
}

// Root is the module's directory.
func Root() (string, error) {
	out, err := goCommand("", "list", "-m", "-f", "{{.Dir}}")
	return strings.TrimSpace(string(out)), err
}

func goCommand(dir string, args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}

// Importer finds the types of imported packages in the compiler's export files, by
// import path.
func Importer(fset *token.FileSet, export func(path string) string) types.Importer {
	return importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		file := export(path)
		if file == "" {
			return nil, fmt.Errorf("no type information for %s", path)
		}
		return os.Open(file)
	})
}

// Exports maps import paths to export files, of a list made with -export -deps.
func Exports(list []*Package) map[string]string {
	exports := make(map[string]string, len(list))
	for _, p := range list {
		exports[p.ImportPath] = p.Export
	}
	return exports
}

// Check parses and type-checks one package.
func Check(fset *token.FileSet, path, dir string, files []string, imp types.Importer, goVersion string) ([]*ast.File, *types.Package, *types.Info, error) {
	parsed := make([]*ast.File, 0, len(files))
	for _, name := range files {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, nil, err
		}
		parsed = append(parsed, f)
	}
	info := &types.Info{
		Types:      make(map[ast.Expr]types.TypeAndValue),
		Defs:       make(map[*ast.Ident]types.Object),
		Uses:       make(map[*ast.Ident]types.Object),
		Selections: make(map[*ast.SelectorExpr]*types.Selection),
		Implicits:  make(map[ast.Node]types.Object),
		Instances:  make(map[*ast.Ident]types.Instance),
		Scopes:     make(map[ast.Node]*types.Scope),
	}
	conf := types.Config{Importer: imp, GoVersion: goVersion}
	pkg, err := conf.Check(path, fset, parsed, info)
	if err != nil {
		return nil, nil, nil, err
	}
	return parsed, pkg, info, nil
}
