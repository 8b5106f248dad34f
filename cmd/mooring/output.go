package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"mooring/internal/client"
)

// column is one column of a table: its heading and the field it shows, a path
// with dots.
type column struct{ head, field string }

func columns(spec ...string) (out []column) {
	for _, s := range spec {
		head, field, _ := strings.Cut(s, "=")
		out = append(out, column{head, field})
	}
	return out
}

func wantsJSON(cmd *cobra.Command) bool {
	v, _ := cmd.Flags().GetBool("json")
	return v
}

// show prints one object: as JSON, or its fields in the order of the columns.
func show(cmd *cobra.Command, o client.Object, cols []column) error {
	if wantsJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), o)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	for _, c := range cols {
		if v := lookup(o, c.field); v != "" {
			fmt.Fprintf(w, "%s\t%s\n", c.head, v)
		}
	}
	return w.Flush()
}

// table prints the results of a list.
func table(cmd *cobra.Command, answer client.Object, cols []column) error {
	if wantsJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), answer)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	heads := make([]string, len(cols))
	for i, c := range cols {
		heads[i] = strings.ToUpper(c.head)
	}
	fmt.Fprintln(w, strings.Join(heads, "\t"))
	rows, _ := answer["results"].([]any)
	for _, r := range rows {
		o, _ := r.(client.Object)
		cells := make([]string, len(cols))
		for i, c := range cols {
			cells[i] = lookup(o, c.field)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if p, ok := answer["pagination"].(client.Object); ok && p["next_cursor"] != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "more: --cursor %s\n", p["next_cursor"])
	}
	return nil
}

func printJSON(w io.Writer, o any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(o)
}

// lookup finds a field by a path with dots and makes it safe for a terminal:
// names come from customers' storage and may hold control sequences.
func lookup(o client.Object, path string) string {
	var v any = o
	for part := range strings.SplitSeq(path, ".") {
		m, ok := v.(client.Object)
		if !ok {
			return ""
		}
		v = m[part]
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return printable(v)
	case map[string]any, []any:
		raw, _ := json.Marshal(v)
		return printable(string(raw))
	default:
		return fmt.Sprint(v)
	}
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
