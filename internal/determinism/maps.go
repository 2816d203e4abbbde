package determinism

import (
	"go/ast"
	"go/token"
	"go/types"
)

// checkMap finds ranges over maps, in whatever form.
func (f *file) checkMap(n ast.Node) {
	switch n := n.(type) {
	case *ast.RangeStmt:
		if _, ok := under(f.TypesInfo.TypeOf(n.X)).(*types.Map); !ok {
			return
		}
		f.exempt(unordered, n.Pos()) // a comment is never too much here
		if blank(n.Key) && blank(n.Value) || f.collectsAndSorts(n) {
			return
		}
		f.forbid(unordered, n.Pos(), "range over a map: it has no order; collect and sort, or say //odradek:unordered and why that is no matter")
	case *ast.CallExpr:
		name := f.callee(n, "maps", "Keys", "Values", "All")
		if name == "" {
			return
		}
		f.exempt(unordered, n.Pos())
		if outer, ok := f.around(1).(*ast.CallExpr); ok && f.callee(outer, "slices", "Sorted", "SortedFunc", "SortedStableFunc") != "" {
			return
		}
		f.forbid(unordered, n.Pos(), "maps.%s has no order: sort it (slices.Sorted), or say //odradek:unordered and why that is no matter", name)
	}
}

func blank(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return e == nil || ok && id.Name == "_"
}

// callee is the name of the function that a call calls, if it is one of those of
// the package.
func (f *file) callee(call *ast.CallExpr, pkg string, names ...string) string {
	fn := ast.Unparen(call.Fun)
	switch x := fn.(type) { // explicit instantiation
	case *ast.IndexExpr:
		fn = x.X
	case *ast.IndexListExpr:
		fn = x.X
	}
	sel, ok := fn.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	obj := f.TypesInfo.Uses[sel.Sel]
	if obj == nil || obj.Pkg() == nil || obj.Pkg().Path() != pkg {
		return ""
	}
	for _, name := range names {
		if obj.Name() == name {
			return name
		}
	}
	return ""
}

// collectsAndSorts reports whether the range only appends to slices, each of which
// the same function sorts afterwards.
func (f *file) collectsAndSorts(r *ast.RangeStmt) bool {
	targets := map[string]bool{}
	if !f.collects(r.Body.List, targets) || len(targets) == 0 {
		return false
	}
	body := f.function()
	for target := range targets {
		if body == nil || !f.sortedAfter(body, r.End(), target) {
			return false
		}
	}
	return true
}

// collects reports whether the statements do nothing but append, under conditions
// that call nothing. It notes what is appended to.
func (f *file) collects(stmts []ast.Stmt, targets map[string]bool) bool {
	for _, s := range stmts {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if len(s.Lhs) != 1 || len(s.Rhs) != 1 || s.Tok != token.ASSIGN {
				return false
			}
			call, ok := s.Rhs[0].(*ast.CallExpr)
			if !ok || len(call.Args) < 2 || !f.isBuiltin(call.Fun, "append") {
				return false
			}
			target := types.ExprString(s.Lhs[0])
			if types.ExprString(call.Args[0]) != target {
				return false
			}
			for _, arg := range call.Args[1:] {
				if f.calls(arg) {
					return false
				}
			}
			targets[target] = true
		case *ast.IfStmt:
			if s.Init != nil || f.calls(s.Cond) || !f.collects(s.Body.List, targets) {
				return false
			}
			switch e := s.Else.(type) {
			case nil:
			case *ast.BlockStmt:
				if !f.collects(e.List, targets) {
					return false
				}
			default:
				if !f.collects([]ast.Stmt{e}, targets) {
					return false
				}
			}
		case *ast.BranchStmt:
			if s.Tok != token.CONTINUE || s.Label != nil {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// calls reports whether an expression calls anything but conversions, len and cap.
func (f *file) calls(e ast.Expr) bool {
	found := false
	ast.Inspect(e, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok && !f.TypesInfo.Types[c.Fun].IsType() && !f.isBuiltin(c.Fun, "len") && !f.isBuiltin(c.Fun, "cap") {
			found = true
		}
		return !found
	})
	return found
}

func (f *file) isBuiltin(e ast.Expr, name string) bool {
	id, ok := ast.Unparen(e).(*ast.Ident)
	if !ok || id.Name != name {
		return false
	}
	_, ok = f.TypesInfo.Uses[id].(*types.Builtin)
	return ok
}

// sortedAfter reports whether a call after pos sorts the target.
func (f *file) sortedAfter(body *ast.BlockStmt, pos token.Pos, target string) bool {
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || call.Pos() < pos || len(call.Args) == 0 {
			return !found
		}
		sorts := f.callee(call, "slices", "Sort", "SortFunc", "SortStableFunc") != "" ||
			f.callee(call, "sort", "Strings", "Ints", "Float64s", "Sort", "Stable", "SliceStable", "Slice") != ""
		if !sorts {
			return !found
		}
		arg := ast.Unparen(call.Args[0])
		if conv, ok := arg.(*ast.CallExpr); ok && len(conv.Args) == 1 { // sort.Sort(byName(list))
			arg = conv.Args[0]
		}
		found = found || types.ExprString(arg) == target
		return !found
	})
	return found
}
