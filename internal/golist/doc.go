// Package golist asks the go command about the packages of this module, for the
// tests that judge the module's own source.
//
// # Imports
//
// The standard library. Start reading at golist.go.
//
// # Rejected
//
// golang.org/x/tools/go/packages does more and drags two more modules in.
package golist
