// Package determinism is the analyzer of the determinism rules in ARCHITECTURE: in
// the packages that run in the simulation it reports what could make two runs of one
// seed differ.
//
// # Rules
//
//   - imports: sync, os, net, crypto/rand, hash/maphash and the like
//   - statements: go, select, anything with channels
//   - uses: the time package's clocks and timers, the global random generators, what
//     looks at the runtime, sort.Slice, and %p in formats
//   - floats: arithmetic on and comparison of floating-point numbers
//   - maps: ranging over a map, or over maps.Keys, Values or All of one
//
// A range over a map is fine if it does nothing but collect into slices that the
// same function sorts afterwards. maps.Keys and the like are fine inside
// slices.Sorted, SortedFunc and SortedStableFunc. Tests are not bound.
//
// # Exemptions
//
// A comment on the line, or on the one above, or in the doc comment of the function:
//
//	//odradek:unordered reason    the order of this map does not matter
//	//odradek:exempt reason       any other rule
//
// An exemption without a reason is reported, and so is one that exempts nothing.
//
// # Use
//
//	go vet -vettool=$(which determinism) ./...
//
// and this package's test, which runs it over the module.
//
// # Imports
//
// golang.org/x/tools/go/analysis, internal/golist and the standard library. Start
// reading at analyzer.go.
//
// # Rejected
//
// unitchecker and analysistest of golang.org/x/tools pull in modules that nothing
// else needs; what of them is used here is a page each.
package determinism
