package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Decode reads YAML into a struct. Unknown fields are errors; what is wrong is said in the
// words of the file, not in the types of this program.
func Decode(text []byte, into any) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	err := d.Decode(into)
	var wrong *yaml.TypeError
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the file is empty")
	case errors.As(err, &wrong):
		var lines []string
		for _, line := range wrong.Errors {
			lines = append(lines, inWords(line))
		}
		return errors.New(strings.Join(lines, "; "))
	}
	return err
}

var (
	lineNumber   = regexp.MustCompile(`line \d+: `)
	unknownField = regexp.MustCompile(`(?s)^(line \d+: )field (.*?) not found in type .*`)
	wrongType    = regexp.MustCompile("(?s)^(line \\d+: )cannot unmarshal (?:!!\\w+ )?(.*) into (.*)")
)

// inWords is the library's complaint of a line.
func inWords(line string) string {
	if m := unknownField.FindStringSubmatch(line); m != nil {
		return fmt.Sprintf("%sthere is no field %s", m[1], m[2])
	}
	m := wrongType.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	want := "something else here"
	switch kind := m[3]; {
	case kind == "time.Duration":
		want = "a time with its unit, such as 10s"
	case kind == "int" || kind == "int64":
		want = "a whole number"
	case kind == "float64":
		want = "a number"
	case kind == "bool":
		want = "true or false"
	case kind == "string":
		want = "a text"
	case strings.HasPrefix(kind, "[]"):
		want = "a list"
	case strings.HasPrefix(kind, "map["):
		want = "names and values"
	}
	return fmt.Sprintf("%s%s, want %s", m[1], strings.TrimSpace(m[2]), want)
}
