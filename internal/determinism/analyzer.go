package determinism

import (
	"go/ast"
	"go/token"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Analyzer reports violations of the determinism rules in packages that are [Bound].
var Analyzer = &analysis.Analyzer{
	Name: "determinism",
	Doc:  "forbid what could make two runs of one seed differ",
	Run: func(p *analysis.Pass) (any, error) {
		if !Bound(p.Pkg.Path()) {
			return nil, nil
		}
		for _, file := range p.Files {
			if !strings.HasSuffix(p.Fset.File(file.FileStart).Name(), "_test.go") {
				checkFile(p, file)
			}
		}
		return nil, nil
	},
}

const module = "odradek/"

// free are the packages of the module that the rules do not bind, with those below
// them. Packages are bound unless they are listed, so that a new one is.
var free = []string{"broker/realenv", "cmd", "bench", "reports", "internal", "sim/rundir", "sim/simtest"}

// Bound reports whether the rules bind the package of that path.
func Bound(path string) bool {
	path, _, _ = strings.Cut(path, " ") // "p [p.test]" is p compiled for its test
	rest, ours := strings.CutPrefix(path, module)
	if !ours {
		return false
	}
	for _, f := range free {
		if rest == f || strings.HasPrefix(rest, f+"/") {
			return false
		}
	}
	return true
}

// file is one file under examination.
type file struct {
	*analysis.Pass
	syntax     *ast.File
	exemptions []*exemption
	// stack are the nodes around the one being visited, which is the last.
	stack []ast.Node
	// quiet are nodes of a kind that an outer node was already reported for.
	quiet map[ast.Node]bool
}

func checkFile(p *analysis.Pass, syntax *ast.File) {
	f := &file{Pass: p, syntax: syntax, quiet: make(map[ast.Node]bool)}
	f.readExemptions()
	f.checkImports()
	ast.Inspect(syntax, func(n ast.Node) bool {
		if n == nil {
			f.stack = f.stack[:len(f.stack)-1]
			return true
		}
		f.stack = append(f.stack, n)
		f.checkStatement(n)
		f.checkUse(n)
		f.checkFormat(n)
		f.checkFloat(n)
		f.checkMap(n)
		return true
	})
	f.reportExemptions()
}

// around is the nth node around the one being visited, 1 being its parent.
func (f *file) around(n int) ast.Node {
	if n >= len(f.stack) {
		return nil
	}
	return f.stack[len(f.stack)-1-n]
}

// function is the body of the innermost function around the node being visited.
func (f *file) function() *ast.BlockStmt {
	for n := 1; ; n++ {
		switch fn := f.around(n).(type) {
		case *ast.FuncDecl:
			return fn.Body
		case *ast.FuncLit:
			return fn.Body
		case nil:
			return nil
		}
	}
}

// forbid reports a violation unless an exemption of that kind covers it.
func (f *file) forbid(kind exemptionKind, pos token.Pos, format string, args ...any) {
	if !f.exempt(kind, pos) {
		f.Reportf(pos, format, args...)
	}
}
