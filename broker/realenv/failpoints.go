package realenv

import (
	"fmt"
	"strings"

	"odradek/broker/failpoint"
)

// armFailpoints arms what a specification "name=terms;name=terms" names.
func armFailpoints(r *failpoint.Registry, spec string) error {
	for part := range strings.SplitSeq(spec, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, terms, found := strings.Cut(part, "=")
		if !found {
			return fmt.Errorf("GO_FAILPOINTS: %q is not name=terms", part)
		}
		if err := r.Arm(failpoint.Name(name), terms); err != nil {
			return fmt.Errorf("GO_FAILPOINTS: %w", err)
		}
	}
	return nil
}
