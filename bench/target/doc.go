// Package target has what the bench measures: systems that clients reach at addresses, and
// that can be asked what they take of the machine, and be killed.
//
//   - target.go: System, and the Options of what is started.
package target
