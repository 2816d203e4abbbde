package config

import (
	"maps"
	"slices"
)

// checkNames refuses names that are not in the table, with the nearest one that is.
func checkNames(values Values, table []Key, complaint string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, ok := find(table, name); ok {
			continue
		}
		if near := nearest(table, name); near != "" {
			return invalidConfig("%s: %s (did you mean %s?)", complaint, name, near)
		}
		return invalidConfig("%s: %s", complaint, name)
	}
	return nil
}

// nearest finds the known name with the fewest edits, or "" if even that one is
// too far off to be what was meant.
func nearest(table []Key, name string) string {
	best, bestDistance := "", len(name)/3+1
	for i := range table {
		if d := distance(name, table[i].Name); d < bestDistance {
			best, bestDistance = table[i].Name, d
		}
	}
	return best
}

// distance is Levenshtein's, over bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
