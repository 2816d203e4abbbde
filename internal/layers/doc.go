// Package layers is the import table of ARCHITECTURE as a test: who may import whom
// inside the module. It also builds everything that runs in the simulation for
// wasip1, where there are neither threads nor sockets to reach for.
//
// # Imports
//
// internal/golist and the standard library. Start reading at layers.go.
//
// # Rejected
//
// Reading the table from ARCHITECTURE itself: it is written for people. Whoever
// changes one changes the other in the same commit.
package layers
