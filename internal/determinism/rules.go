package determinism

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"regexp"
	"strconv"
	"strings"
)

// forbiddenImports, by path, with the reason. Paths below them are meant too.
var forbiddenImports = map[string]string{
	"sync":                   "a node is one loop, nothing runs beside it",
	"os":                     "the world is behind env",
	"net":                    "the world is behind env",
	"syscall":                "the world is behind env",
	"golang.org/x/sys":       "the world is behind env",
	"log":                    "events go to env.Tracer",
	"crypto/rand":            "random numbers come from env.Rand",
	"hash/maphash":           "its seed differs in each process",
	"weak":                   "the collector decides",
	"unique":                 "handles compare by address",
	"odradek/broker/realenv": "it is not deterministic",
}

// pure are paths below forbidden ones that are only data.
var pure = map[string]bool{"net/netip": true, "net/url": true}

func (f *file) checkImports() {
	for _, spec := range f.syntax.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil || pure[path] {
			continue
		}
		for at := path; ; {
			if why, found := forbiddenImports[at]; found {
				f.forbid(exempt, spec.Pos(), "import of %s: %s", path, why)
				break
			}
			slash := strings.LastIndexByte(at, '/')
			if slash < 0 {
				break
			}
			at = at[:slash]
		}
	}
}

// checkStatement finds goroutines and channels.
func (f *file) checkStatement(n ast.Node) {
	switch n := n.(type) {
	case *ast.GoStmt:
		f.forbid(exempt, n.Pos(), "go statement: the scheduler would decide the order of events")
	case *ast.SelectStmt:
		f.forbid(exempt, n.Pos(), "select statement: it picks at random")
	case *ast.ChanType:
		f.forbid(exempt, n.Pos(), "channel type")
	case *ast.SendStmt:
		f.forbid(exempt, n.Arrow, "channel send")
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			f.forbid(exempt, n.Pos(), "channel receive")
		}
	case *ast.RangeStmt:
		if _, ok := under(f.TypesInfo.TypeOf(n.X)).(*types.Chan); ok {
			f.forbid(exempt, n.Pos(), "range over a channel")
		}
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "close" {
			if _, builtin := f.TypesInfo.Uses[id].(*types.Builtin); builtin {
				f.forbid(exempt, n.Pos(), "channel close")
			}
		}
	}
}

// under is the type's structure; that of all types of a type parameter, if it is one.
func under(t types.Type) types.Type {
	if t == nil {
		return nil
	}
	u := t.Underlying()
	iface, ok := u.(*types.Interface)
	if _, param := types.Unalias(t).(*types.TypeParam); !param || !ok {
		return u
	}
	for e := range iface.NumEmbeddeds() {
		if union, ok := iface.EmbeddedType(e).(*types.Union); ok && union.Len() > 0 {
			return union.Term(0).Type().Underlying()
		}
		return iface.EmbeddedType(e).Underlying()
	}
	return u
}

// forbiddenUses are objects of packages, with the reason. They are looked up by use,
// so that a function taken as a value is found too.
var forbiddenUses = map[string]map[string]string{
	"time": {
		"Now": clocks, "Since": clocks, "Until": clocks, "Sleep": clocks, "After": clocks, "AfterFunc": clocks,
		"Tick": clocks, "NewTimer": clocks, "NewTicker": clocks,
		"Local": "the machine's time zone", "LoadLocation": "the machine's time zones",
	},
	"context": {
		"WithTimeout": clocks, "WithTimeoutCause": clocks, "WithDeadline": clocks, "WithDeadlineCause": clocks,
		"AfterFunc": "it starts a goroutine",
	},
	"runtime": {
		"SetFinalizer": collector, "AddCleanup": collector, "GC": collector, "ReadMemStats": collector,
		"NumGoroutine": scheduler, "Gosched": scheduler, "GOMAXPROCS": scheduler, "NumCPU": scheduler,
		"LockOSThread": scheduler,
	},
	"sort": {
		"Slice": "it leaves equal elements in any order: use slices.SortFunc with a total order",
	},
}

const (
	clocks    = "time comes from env.Clock"
	collector = "the collector decides"
	scheduler = "the scheduler decides"
)

// seededRandom are the functions of the random packages that have no hidden state.
var seededRandom = map[string]bool{"New": true, "NewSource": true, "NewZipf": true, "NewPCG": true, "NewChaCha8": true}

// checkUse finds uses of forbidden objects.
func (f *file) checkUse(n ast.Node) {
	id, ok := n.(*ast.Ident)
	if !ok {
		return
	}
	obj := f.TypesInfo.Uses[id]
	if obj == nil || obj.Pkg() == nil {
		return
	}
	path, name := obj.Pkg().Path(), obj.Name()
	if fn, ok := obj.(*types.Func); ok && fn.Signature().Recv() != nil {
		if path == "reflect" && (name == "MapRange" || name == "MapKeys") {
			f.forbid(unordered, id.Pos(), "reflect's %s: maps have no order", name)
		}
		return
	}
	if obj.Parent() != obj.Pkg().Scope() {
		return
	}
	if why, found := forbiddenUses[path][name]; found {
		f.forbid(exempt, id.Pos(), "%s.%s: %s", path, name, why)
	}
	if _, ok := obj.(*types.Func); ok && (path == "math/rand" || path == "math/rand/v2") && !seededRandom[name] {
		f.forbid(exempt, id.Pos(), "%s.%s: the global generator; random numbers come from env.Rand", path, name)
	}
}

var pointerVerb = regexp.MustCompile(`%[-+# 0-9.*\[\]]*p`)

// checkFormat finds addresses that become text or numbers.
func (f *file) checkFormat(n ast.Node) {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return
	}
	for _, arg := range call.Args {
		v := f.TypesInfo.Types[arg].Value
		if v != nil && v.Kind() == constant.String && pointerVerb.MatchString(constant.StringVal(v)) {
			f.forbid(exempt, arg.Pos(), "%%p: addresses differ in each run")
		}
	}
	if len(call.Args) == 1 && f.TypesInfo.Types[call.Fun].IsType() {
		to, ok := under(f.TypesInfo.TypeOf(call.Fun)).(*types.Basic)
		from, ok2 := under(f.TypesInfo.TypeOf(call.Args[0])).(*types.Basic)
		if ok && ok2 && to.Kind() == types.Uintptr && from.Kind() == types.UnsafePointer {
			f.forbid(exempt, call.Pos(), "an address as a number differs in each run")
		}
	}
}

// checkFloat finds arithmetic on and comparison of floats that are not constants. Of
// an expression made of others the outermost is reported.
func (f *file) checkFloat(n ast.Node) {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if !f.isFloat(n.X) && !f.isFloat(n.Y) || f.TypesInfo.Types[n].Value != nil {
			return
		}
		if !f.quiet[n] {
			f.forbid(exempt, n.Pos(), "%s on floats: they do not decide anything here", n.Op)
		}
		f.hush(n.X)
		f.hush(n.Y)
	case *ast.AssignStmt:
		switch n.Tok {
		case token.ADD_ASSIGN, token.SUB_ASSIGN, token.MUL_ASSIGN, token.QUO_ASSIGN:
			if f.isFloat(n.Lhs[0]) {
				f.forbid(exempt, n.Pos(), "%s on floats: they do not decide anything here", n.Tok)
				f.hush(n.Rhs[0])
			}
		}
	case *ast.IncDecStmt:
		if f.isFloat(n.X) {
			f.forbid(exempt, n.Pos(), "%s on floats: they do not decide anything here", n.Tok)
		}
	case *ast.CallExpr:
		if len(n.Args) != 1 || !f.TypesInfo.Types[n.Fun].IsType() || f.quiet[n] || !f.isFloat(n.Args[0]) {
			return
		}
		if to, ok := under(f.TypesInfo.TypeOf(n)).(*types.Basic); ok && to.Info()&types.IsInteger != 0 {
			f.forbid(exempt, n.Pos(), "a float becomes an integer: floats do not decide anything here")
			f.hush(n.Args[0])
		}
	}
}

// hush keeps the parts of a reported expression quiet.
func (f *file) hush(e ast.Expr) {
	ast.Inspect(e, func(n ast.Node) bool {
		f.quiet[n] = true
		_, call := n.(*ast.FuncLit)
		return !call
	})
}

func (f *file) isFloat(e ast.Expr) bool {
	tv := f.TypesInfo.Types[e]
	if !tv.IsValue() || tv.Value != nil { // a type in a union; or a constant: the other operand tells
		return false
	}
	b, ok := under(tv.Type).(*types.Basic)
	return ok && b.Info()&(types.IsFloat|types.IsComplex) != 0
}
