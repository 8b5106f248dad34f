package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

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
	rows, _ := answer["results"].([]any)
	cells := make([][]string, 1, len(rows)+1)
	for _, c := range cols {
		cells[0] = append(cells[0], strings.ToUpper(c.head))
	}
	for _, r := range rows {
		o, _ := r.(client.Object)
		line := make([]string, len(cols))
		for i, c := range cols {
			line[i] = lookup(o, c.field)
		}
		cells = append(cells, line)
	}
	fit(cells, width(cmd))
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, columnGap, ' ', 0)
	for _, line := range cells {
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if p, ok := answer["pagination"].(client.Object); ok && p["next_cursor"] != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "more: --cursor %s\n", p["next_cursor"])
	}
	return nil
}

const (
	columnGap = 2
	leastCell = 4 // of a column that was made narrower
)

// width is that of the terminal a table is shown on; 0 elsewhere, where nothing
// may be cut off.
func width(cmd *cobra.Command) int {
	f, ok := cmd.OutOrStdout().(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// fit makes the widest columns narrower until a table fits, but for the first,
// which names things. A cut cell ends with an ellipsis.
func fit(cells [][]string, most int) {
	widths := make([]int, len(cells[0]))
	total := -columnGap
	for i := range widths {
		for _, line := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(line[i]))
		}
		total += widths[i] + columnGap
	}
	for ; most > 0 && total > most; total-- {
		widest := 0
		for i := 1; i < len(widths); i++ {
			if widest == 0 || widths[i] > widths[widest] {
				widest = i
			}
		}
		if widest == 0 || widths[widest] <= leastCell {
			break
		}
		widths[widest]--
	}
	for _, line := range cells {
		for i, cell := range line {
			if runes := []rune(cell); len(runes) > widths[i] {
				line[i] = string(runes[:widths[i]-1]) + "…"
			}
		}
	}
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
