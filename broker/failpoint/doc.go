// Package failpoint names the points in the broker where a fault plan can make
// something go differently, and holds the per-node registry of the armed ones.
//
// A point is asked with [Registry.On] or [Registry.Value]; the code at the point
// decides what a value means and documents it beside the name in names.go. There
// is one registry per node, never a global one, so that parallel simulations do
// not meet. Names under "zoo/" are historical bugs, off unless a test of the
// checkers arms them; the others are errors that a correct broker must survive.
//
// The language of terms and its evaluation are pingcap/failpoint's, used as a
// value without its rewriting step. In real mode cmd/odradek arms the same names
// from GO_FAILPOINTS.
package failpoint
