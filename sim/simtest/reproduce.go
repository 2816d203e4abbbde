package simtest

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
)

// reproducer is the command that runs one test again. It names the package by its import
// path, so that it works anywhere in the module.
func reproducer(test, pkg string) string {
	var parts []string
	for part := range strings.SplitSeq(test, "/") {
		parts = append(parts, "^"+regexp.QuoteMeta(part)+"$")
	}
	return fmt.Sprintf("go test %s -run '%s'", pkg, strings.Join(parts, "/"))
}

// testedPackage is the import path of the package whose test is on the stack, "." if
// that cannot be told.
func testedPackage() string {
	pcs := make([]uintptr, 100)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	test := ""
	for {
		f, more := frames.Next()
		if f.Function == "testing.tRunner" && test != "" {
			return packageOf(test)
		}
		if !more {
			return "."
		}
		test = f.Function
	}
}

// packageOf is the import path in a function's full name, such as
// "example.com/a%2eb_test.TestX.func1" (dots in the last element are escaped). Of an
// external test package it is the path of the package that it tests.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/')
	dot := strings.IndexByte(function[slash+1:], '.')
	if dot < 0 {
		return "."
	}
	path := strings.ReplaceAll(function[:slash+1+dot], "%2e", ".")
	return strings.TrimSuffix(path, "_test")
}
