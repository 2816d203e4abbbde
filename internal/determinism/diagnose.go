package determinism

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// Diagnose runs the analyzer over one type-checked package. What it finds is in the
// order of position.
func Diagnose(fset *token.FileSet, files []*ast.File, pkg *types.Package, info *types.Info) ([]analysis.Diagnostic, error) {
	var found []analysis.Diagnostic
	_, err := Analyzer.Run(&analysis.Pass{
		Analyzer:  Analyzer,
		Fset:      fset,
		Files:     files,
		Pkg:       pkg,
		TypesInfo: info,
		Report:    func(d analysis.Diagnostic) { found = append(found, d) },
	})
	slices.SortStableFunc(found, func(a, b analysis.Diagnostic) int { return int(a.Pos - b.Pos) })
	return found, err
}
