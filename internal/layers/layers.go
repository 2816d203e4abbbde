package layers

import (
	"fmt"
	"slices"
	"strings"

	"odradek/internal/golist"
)

const module = "odradek/"

// layer is a folder of the module and what its packages may import. The folder of a
// package is the longest that it is in or below.
type layer struct {
	folder string
	// may are folders (with "/..." those below, too). A layer may always import
	// what is in or below its own folder, as far as that is of the same layer.
	may []string
}

var (
	decider = []string{"broker/wire", "broker/failpoint", "broker/metadata", "broker/config"}
	all     = []string{"..."}
)

// table is that of ARCHITECTURE.
var table = []layer{
	{"broker/failpoint", nil},
	{"broker/wire", nil},
	{"broker/env", []string{"broker/failpoint"}},
	{"broker/config", []string{"broker/wire"}},
	{"broker/producers", []string{"broker/wire", "broker/failpoint"}},
	{"broker/storage", []string{"broker/env", "broker/wire", "broker/failpoint", "broker/producers"}},
	{"broker/metadata", []string{"broker/wire", "broker/failpoint"}},
	{"broker/raft", decider},
	{"broker/replica", decider},
	{"broker/controller", decider},
	{"broker/fetchsession", []string{"broker/wire"}},
	{"broker/coordinator", decider},
	{"broker", []string{
		"broker/env", "broker/failpoint", "broker/wire", "broker/config", "broker/storage", "broker/metadata",
		"broker/raft", "broker/replica", "broker/controller", "broker/fetchsession", "broker/coordinator/...", "broker/producers",
	}},
	{"broker/realenv", []string{"broker/env", "broker/failpoint"}},

	// The kernel is below the network and the disks, these below the machines.
	{"sim", []string{"broker/env"}},
	{"sim/disk", []string{"broker/env", "sim"}},
	{"netsim", []string{"broker/env", "sim"}},
	{"sim/cluster", simulation},
	{"sim/fault", simulation},
	{"sim/harness", simulation},
	{"sim/rundir", simulation},
	{"sim/simtest", simulation},

	{"workloads", []string{"broker/env", "broker/wire", "workloads/client/...", "checker/history"}},
	{"workloads/client", []string{"broker/env", "broker/wire"}},
	{"workloads/client/clienttest", []string{"broker/env", "broker/wire", "broker/failpoint"}},
	{"checker", []string{"broker/wire"}},

	{"bench", all},
	{"reports", all},
	{"cmd", all},
	{"internal", nil},
	{"internal/documents", []string{"workloads"}},
}

var simulation = []string{
	"broker", "broker/env", "broker/failpoint", "broker/wire", "broker/config", "broker/storage", "broker/metadata",
	"broker/raft", "broker/replica", "broker/controller", "broker/coordinator/...",
	"sim/...", "netsim/...", "workloads/...", "checker/...",
}

// find is the layer that a package belongs to.
func find(path string) (layer, bool) {
	var best layer
	for _, l := range table {
		if within(path, l.folder+"/...") && len(l.folder) > len(best.folder) {
			best = l
		}
	}
	return best, best.folder != ""
}

// within reports whether a path is a folder, or below it if that ends in "/...".
func within(path, folder string) bool {
	below, deep := strings.CutSuffix(folder, "...")
	return path == folder || deep && strings.HasPrefix(path+"/", below)
}

// Violations lists the imports that the table forbids, as "importer imports
// imported", sorted. Tests inside a package are bound as the package is; external
// ones are not.
func Violations(packages []*golist.Package) []string {
	var found []string
	for _, p := range packages {
		from, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours {
			continue
		}
		l, known := find(from)
		if !known {
			found = append(found, fmt.Sprintf("%s is in no layer", from))
			continue
		}
		for _, path := range slices.Concat(p.Imports, p.TestImports) {
			to, ours := strings.CutPrefix(path, module)
			if !ours || allowed(l, to) || slices.Contains(p.TestImports, path) && testSupport(to) {
				continue
			}
			found = append(found, fmt.Sprintf("%s imports %s", from, to))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func allowed(l layer, to string) bool {
	if other, known := find(to); known && other.folder == l.folder {
		return true
	}
	return slices.ContainsFunc(l.may, func(folder string) bool { return within(to, folder) })
}

// testSupport are packages made for tests, and the test of a tool its tool's parts.
func testSupport(to string) bool {
	return within(to, "broker/env/envtest") || within(to, "internal/golist")
}
