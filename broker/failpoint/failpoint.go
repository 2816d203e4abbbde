package failpoint

import (
	"fmt"
	"slices"

	pingcap "github.com/pingcap/failpoint"
)

// Name is a failpoint's name, as it appears in plans and in GO_FAILPOINTS.
type Name string

// Registry holds the armed failpoints of one node. The zero value and nil have
// none armed. Unarmed points cost one length check.
type Registry struct {
	points pingcap.Failpoints
	armed  []Name
	hits   map[Name]int
}

// Arm makes a point answer according to terms, in the language of
// pingcap/failpoint: `return(true)`, `3*return("io")`, `1*return->2*return(true)`.
// Only count terms and return are allowed: `%` draws from a global source,
// `sleep`, `pause` and `panic` act on the process.
func (r *Registry) Arm(name Name, terms string) error {
	if err := checkTerms(terms); err != nil {
		return fmt.Errorf("failpoint %s: %w", name, err)
	}
	if !slices.Contains(All(), name) {
		return fmt.Errorf("failpoint %s: no such name", name)
	}
	if err := r.points.Enable(string(name), terms); err != nil {
		return err
	}
	if !slices.Contains(r.armed, name) {
		r.armed = append(r.armed, name)
	}
	return nil
}

// Disarm undoes Arm. Disarming an unarmed point is allowed.
func (r *Registry) Disarm(name Name) {
	if i := slices.Index(r.armed, name); i >= 0 {
		r.armed = slices.Delete(r.armed, i, i+1)
		// The only error is "never enabled", which the index has ruled out.
		_ = r.points.Disable(string(name))
	}
}

// On reports whether the point fires now, with whatever value.
func (r *Registry) On(name Name) bool {
	if r == nil || len(r.armed) == 0 {
		return false
	}
	_, ok := r.eval(name)
	return ok
}

// Value returns the string a firing point was armed with (`return("x")`), or "".
func (r *Registry) Value(name Name) string {
	if r == nil || len(r.armed) == 0 {
		return ""
	}
	v, _ := r.eval(name)
	return v
}

func (r *Registry) eval(name Name) (string, bool) {
	if !slices.Contains(r.armed, name) {
		return "", false
	}
	v, err := r.points.Eval(string(name))
	if err != nil || v == nil {
		return "", false // armed, but its terms are used up or not firing
	}
	if r.hits == nil {
		r.hits = make(map[Name]int)
	}
	r.hits[name]++
	s, _ := v.(string)
	return s, true
}

// Hits is how often the point fired since the registry was made.
func (r *Registry) Hits(name Name) int {
	if r == nil {
		return 0
	}
	return r.hits[name]
}
