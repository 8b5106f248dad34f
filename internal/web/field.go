package web

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"mooring/internal/errs"
)

// field is one field of a form, for the template "field" in templates/parts.html.
type field struct {
	Name  string // and id
	Label string
	Help  string
	Kind  string // "text", "password", "number", "checkbox", "select", "textarea", "date" or "search"
	Value string
	// Secret: what was typed is never put back into a page. Without scripts it
	// has to be typed again, which the field then says.
	Secret   bool
	Lost     bool // it was typed, and the page is shown again
	Optional bool
	On       bool // of a checkbox
	Options  []choice
	Rows     int    // of a textarea
	Drop     string // what may be dropped onto a textarea, "" for nothing
	Wrong    string // what is wrong with it
}

// choice is one of a select's.
type choice struct {
	Value, Label string
	On           bool
}

// filled gives fields what a form sent, but secrets, and what is wrong with each.
func filled(fields []field, sent url.Values, p *problem) []field {
	for i := range fields {
		f := &fields[i]
		if sent != nil {
			given := sent.Get(f.Name)
			switch {
			case f.Secret:
				f.Value, f.Lost = "", given != ""
			case f.Kind == "checkbox":
				f.On = given != ""
			default:
				f.Value = given
			}
			for j := range f.Options {
				f.Options[j].On = f.Options[j].Value == given
			}
		}
		if p == nil {
			continue
		}
		for _, bad := range p.Fields {
			if bad.ID == f.Name {
				f.Wrong = bad.Message
			}
		}
	}
	return fields
}

// choices are the options of a select, of which one is chosen.
func choices(chosen string, pairs ...string) (out []choice) {
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, choice{Value: pairs[i], Label: pairs[i+1], On: pairs[i] == chosen})
	}
	return out
}

// numberOf reads a whole number of a form, nil when nothing was given.
func numberOf(form url.Values, name string, at errs.Fields) *int {
	given := strings.TrimSpace(form.Get(name))
	if given == "" {
		return nil
	}
	n, err := strconv.Atoi(given)
	if err != nil {
		at.Add("int_type", "must be a whole number", name)
		return nil
	}
	return &n
}

// filtersOf makes file_filters of a form, as the API takes them.
func filtersOf(form url.Values) map[string]any {
	out := map[string]any{}
	for _, name := range []string{"include_patterns", "exclude_patterns", "extensions", "mime_types"} {
		var list []any
		for part := range strings.SplitSeq(form.Get("file_filters."+name), ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		if list != nil {
			out[name] = list
		}
	}
	for _, name := range []string{"min_size_bytes", "max_size_bytes"} {
		if given := strings.TrimSpace(form.Get("file_filters." + name)); given != "" {
			out[name] = json.Number(given)
		}
	}
	for _, name := range []string{"modified_after", "modified_before"} {
		if given := strings.TrimSpace(form.Get("file_filters." + name)); given != "" {
			out[name] = given + "T00:00:00Z"
		}
	}
	return out
}
