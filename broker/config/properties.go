package config

import (
	"fmt"
	"strings"
)

// ParseProperties reads the text of a Java properties file as far as server
// configuration uses it: name=value or name:value lines, # and ! comments, and a
// backslash at the end of a line that continues it. Later lines win. Names are
// not checked here but by [Layers.BrokerConfig].
func ParseProperties(text string) (Values, error) {
	values := make(Values)
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		number := i + 1
		line := strings.TrimSpace(lines[i])
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for strings.HasSuffix(line, "\\") && i+1 < len(lines) {
			i++
			line = strings.TrimSuffix(line, "\\") + strings.TrimSpace(lines[i])
		}
		if err := values.Add(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return values, nil
}

// Add sets one config given as name=value or name:value. The error wraps
// ErrInvalidConfig.
func (v Values) Add(assignment string) error {
	i := strings.IndexAny(assignment, "=:")
	if i <= 0 {
		return invalidConfig("%q is not of the form name=value", assignment)
	}
	name := strings.TrimSpace(assignment[:i])
	if name == "" {
		return invalidConfig("%q is not of the form name=value", assignment)
	}
	v[name] = strings.TrimSpace(assignment[i+1:])
	return nil
}
