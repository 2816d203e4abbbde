package maps

import (
	"maps"
	"slices"
	"sort"
)

type set map[string]int

func ranges(m map[string]int, s set) int {
	for k := range m { // want `range over a map: it has no order`
		return len(k)
	}
	for range s { // only how many
		m["x"]++
	}
	for _, v := range s { // want `range over a map`
		m["x"] = v
	}
	n := 0
	for _, v := range s { //odradek:unordered a sum
		n += v
	}
	//odradek:unordered a sum,
	// of whatever is there
	for _, v := range s {
		n += v
	}
	return n
}

func generic[M ~map[K]V, K comparable, V any](m M) {
	for k := range m { // want `range over a map`
		delete(m, k)
	}
}

type pair struct {
	k string
	v int
}

func collected(m map[string]int) ([]string, []pair, []int) {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var pairs []pair
	var values []int
	for k, v := range m {
		if v == 0 {
			continue
		}
		if len(k) > 3 {
			pairs = append(pairs, pair{k, int(int64(v))})
		} else {
			values = append(values, v)
		}
	}
	sort.Ints(values)
	slices.SortFunc(pairs, func(a, b pair) int { return a.v - b.v })
	var s struct{ names []string }
	for k := range m {
		s.names = append(s.names, k)
	}
	sort.Sort(sort.StringSlice(s.names))
	return keys, pairs, values
}

func collectedBadly(m map[string]int, f func(string) string) {
	var unsorted, never, before, called, half, other []string
	for k := range m { // want `range over a map`
		unsorted = append(unsorted, k)
	}
	slices.Sort(before)
	for k := range m { // want `range over a map`
		before = append(before, k)
	}
	for k := range m { // want `range over a map`
		called = append(called, f(k))
	}
	slices.Sort(called)
	for k := range m { // want `range over a map`
		half = append(half, k)
		other = append(other, k)
	}
	slices.Sort(half)
	for k := range m { // want `range over a map`
		never = append(half, k)
	}
	slices.Sort(never)
	func() {
		var inner []string
		for k := range m { // want `range over a map`
			inner = append(inner, k)
		}
		_ = inner
	}()
	for k := range m { // want `range over a map`
		if len(never) < 2 {
			never = append(never, k)
			break
		}
	}
	slices.Sort(never)
}

func functions(m map[string]int) {
	_ = slices.Sorted(maps.Keys(m))
	_ = slices.SortedFunc(maps.Values(m), func(a, b int) int { return a - b })
	_ = slices.Collect(maps.Keys(m)) // want `maps.Keys has no order`
	for range maps.All(m) {          // want `maps.All has no order`
	}
	_ = slices.Max(slices.Collect(maps.Values(m))) //odradek:unordered a maximum
	_ = maps.Clone(m)
}
