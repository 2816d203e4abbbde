package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// family makes a command of those below it.
func family(c *cobra.Command, members ...*cobra.Command) *cobra.Command {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := "see " + c.CommandPath() + " --help"
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			hint = fmt.Sprintf("did you mean %s %s?", c.CommandPath(), strings.Join(near, " or "))
		}
		return fmt.Errorf("there is no command %q; %s", c.CommandPath()+" "+args[0], hint)
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.SuggestionsMinimumDistance = 2
	c.AddCommand(members...)
	return c
}

// wrongFlag says where the right ones are. Whoever gave a flag to a family of commands
// meant one of its members.
func wrongFlag(c *cobra.Command, err error) error {
	if args := c.Flags().Args(); c.HasSubCommands() && len(args) > 0 {
		if wrong := c.ValidateArgs(args); wrong != nil {
			return wrong
		}
	}
	return fmt.Errorf("%w; see %s --help", err, c.CommandPath())
}

// listFlags are the flags of a command that shows things of the cluster.
type listFlags struct {
	clientFlags
	asJSON bool
}

func (f *listFlags) add(c *cobra.Command) {
	f.clientFlags.add(c)
	c.Flags().BoolVar(&f.asJSON, "json", false, "one JSON object a line")
}

// show prints things: as JSON, or with print. Of nothing it says what there is none of,
// aside, so that who reads lines of standard output gets none.
func show[T any](c *cobra.Command, asJSON bool, things []T, none string, print func(io.Writer) error) error {
	w := c.OutOrStdout()
	switch {
	case len(things) == 0 && asJSON:
		return nil
	case len(things) == 0:
		_, err := fmt.Fprintln(c.ErrOrStderr(), none)
		return err
	case !asJSON:
		return print(w)
	}
	for i := range things {
		if err := printJSON(w, things[i]); err != nil {
			return err
		}
	}
	return nil
}

// table is how things are shown of which each is a line.
type table[T any] struct {
	// columns are the headings, with tabs between them; "" is none. Rows are indented as
	// they are.
	columns string
	row     func(T) []any
}

// show prints things as a table or as JSON.
func (t table[T]) show(c *cobra.Command, asJSON bool, things []T, none string) error {
	return show(c, asJSON, things, none, func(w io.Writer) error { return t.print(w, things) })
}

func (t table[T]) print(w io.Writer, things []T) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if t.columns != "" {
		fmt.Fprintln(columns, t.columns)
	}
	indent := t.columns[:len(t.columns)-len(strings.TrimLeft(t.columns, " "))]
	for _, thing := range things {
		row := t.row(thing)
		fmt.Fprint(columns, indent, row[0])
		for _, cell := range row[1:] {
			fmt.Fprint(columns, "\t", cell)
		}
		fmt.Fprintln(columns)
	}
	return columns.Flush()
}

// showEach prints things of which each is a paragraph, or JSON. What some could not be
// described for is returned after the others.
func showEach[T interface{ print(io.Writer) error }](c *cobra.Command, asJSON bool, things []T, failed error, none string) error {
	if len(things) == 0 && failed != nil {
		return failed
	}
	err := show(c, asJSON, things, none, func(w io.Writer) error {
		for i, thing := range things {
			if i > 0 {
				fmt.Fprintln(w)
			}
			if err := thing.print(w); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return failed
}

// inStates adds to what there is none of that only some were asked for.
func inStates(none string, states []string) string {
	if len(states) == 0 {
		return none
	}
	return none + " in state " + strings.Join(states, " or ")
}

// orDash prints what there is, "-" for nothing.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// offsetOrDash prints an offset, "-" for none.
func offsetOrDash(offset int64) string {
	if offset < 0 {
		return "-"
	}
	return fmt.Sprint(offset)
}

// ids prints node ids, "-" for none.
func ids(nodes []int32) string {
	if len(nodes) == 0 {
		return "-"
	}
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(nodes), "[]"), " ", ",")
}

// notNil makes JSON show an empty list as one.
func notNil(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}
