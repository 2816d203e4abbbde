package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is one of Markdown, with columns as wide as what is in them, so that it is read
// as well where nothing renders it.
type table struct {
	head []string
	rows [][]string
	// words is how many columns on the left are of words; numbers stand on the right.
	words int
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write leaves out columns in which no row has anything.
func (t *table) write(w io.Writer) error {
	var keep, width []int
	for c, name := range t.head {
		most := 0
		for _, row := range t.rows {
			most = max(most, utf8.RuneCountInString(escape(row[c])))
		}
		if most > 0 {
			keep, width = append(keep, c), append(width, max(most, utf8.RuneCountInString(name), 3))
		}
	}
	line := func(cells []string) string {
		var b strings.Builder
		for i, c := range keep {
			cell := escape(cells[c])
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if c < t.words {
				cell += pad
			} else {
				cell = pad + cell
			}
			b.WriteString("| " + cell + " ")
		}
		return b.String() + "|\n"
	}
	var b strings.Builder
	b.WriteString(line(t.head))
	for i, c := range keep {
		rule := strings.Repeat("-", width[i])
		if c >= t.words {
			rule = rule[1:] + ":"
		}
		b.WriteString("| " + rule + " ")
	}
	b.WriteString("|\n")
	for row := range slices.Values(t.rows) {
		b.WriteString(line(row))
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

// escape keeps a cell from ending its column or its row.
func escape(cell string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(cell)
}
