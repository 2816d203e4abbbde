package determinism

import (
	"go/ast"
	"go/token"
	"strings"
)

type exemptionKind string

const (
	unordered exemptionKind = "unordered" // ranges over maps
	exempt    exemptionKind = "exempt"    // everything else
)

const prefix = "//odradek:"

// exemption is one comment and the lines that it covers.
type exemption struct {
	kind        exemptionKind
	pos         token.Pos
	first, last int
	used        bool
}

// readExemptions collects the file's comments and reports those that are malformed.
func (f *file) readExemptions() {
	code := f.codeLines()
	for _, group := range f.syntax.Comments {
		for _, c := range group.List {
			text, ours := strings.CutPrefix(c.Text, prefix)
			if !ours {
				continue
			}
			name, reason, _ := strings.Cut(text, " ")
			kind := exemptionKind(name)
			switch {
			case kind != unordered && kind != exempt:
				f.Reportf(c.Pos(), "unknown exemption %q: want unordered or exempt", name)
				continue
			case strings.TrimSpace(reason) == "":
				f.Reportf(c.Pos(), "exemption without a reason")
			}
			first := f.line(c.Pos())
			last := first
			if !code[first] { // it is above what it covers, and more comment may follow
				last = f.line(group.End()) + 1
			}
			f.exemptions = append(f.exemptions, &exemption{kind: kind, pos: c.Pos(), first: first, last: last})
		}
	}
	for _, d := range f.syntax.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Doc == nil {
			continue
		}
		for _, e := range f.exemptions {
			if fn.Doc.Pos() <= e.pos && e.pos < fn.Doc.End() {
				e.last = f.line(fn.End())
			}
		}
	}
}

// codeLines are the lines on which something other than comments begins or ends.
func (f *file) codeLines() map[int]bool {
	lines := make(map[int]bool)
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.Comment, *ast.CommentGroup:
			return false
		case *ast.File:
			return true
		}
		lines[f.line(n.Pos())], lines[f.line(n.End())] = true, true
		return true
	})
	return lines
}

func (f *file) line(p token.Pos) int { return f.Fset.Position(p).Line }

// exempt reports whether an exemption covers the position.
func (f *file) exempt(kind exemptionKind, pos token.Pos) bool {
	line, covered := f.line(pos), false
	for _, e := range f.exemptions {
		if e.kind == kind && e.first <= line && line <= e.last {
			e.used, covered = true, true
		}
	}
	return covered
}

// reportExemptions reports those that nothing needed. A map's range may say that its
// order does not matter even where the analyzer sees so itself.
func (f *file) reportExemptions() {
	for _, e := range f.exemptions {
		if !e.used {
			f.Reportf(e.pos, "this exempts nothing")
		}
	}
}
