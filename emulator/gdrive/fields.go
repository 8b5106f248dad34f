package gdrive

import (
	"strings"
)

// selection is a set of fields, each with a selection below it; nil is everything. The
// name * stands for all fields. It serves for what a request selects and for what there
// is to select.
type selection map[string]selection

// maxFieldDepth bounds what a request may nest.
const maxFieldDepth = 16

// parseFields reads a partial response selector: names separated by commas, a/b or
// a(b,c) for what is inside.
func parseFields(text string) (selection, bool) {
	p := fieldParser{text: text}
	s, ok := p.list(0)
	return s, ok && p.text == ""
}

type fieldParser struct{ text string }

func (p *fieldParser) list(depth int) (selection, bool) {
	if depth > maxFieldDepth {
		return nil, false
	}
	out := selection{}
	for {
		if !p.field(out, depth) {
			return nil, false
		}
		if !p.take(',') {
			return out, true
		}
	}
}

// field reads one field into a selection.
func (p *fieldParser) field(out selection, depth int) bool {
	name := p.name()
	if name == "" || depth > maxFieldDepth {
		return false
	}
	var below selection
	switch {
	case p.take('/'):
		below = selection{}
		if !p.field(below, depth+1) {
			return false
		}
	case p.take('('):
		var ok bool
		if below, ok = p.list(depth + 1); !ok || !p.take(')') {
			return false
		}
	}
	out.add(name, below)
	return true
}

// add joins what is selected of a field to what was selected before.
func (s selection) add(name string, below selection) {
	have, ok := s[name]
	if !ok || below == nil {
		s[name] = below
		return
	}
	if have == nil {
		return // everything already
	}
	for n, b := range below {
		have.add(n, b)
	}
}

func (p *fieldParser) take(c byte) bool {
	p.text = strings.TrimLeft(p.text, " ")
	if p.text == "" || p.text[0] != c {
		return false
	}
	p.text = p.text[1:]
	return true
}

func (p *fieldParser) name() string {
	p.text = strings.TrimLeft(p.text, " ")
	end := strings.IndexFunc(p.text, func(r rune) bool {
		return r != '*' && r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	if end < 0 {
		end = len(p.text)
	}
	name := p.text[:end]
	p.text = p.text[end:]
	return name
}

// unknown returns a field that there is not, or "".
func (s selection) unknown(schema selection) string {
	for name, below := range s {
		if name == "*" {
			for _, inside := range schema {
				if bad := below.unknown(inside); bad != "" && below != nil {
					return bad
				}
			}
			continue
		}
		inside, ok := schema[name]
		if _, free := schema["*"]; !ok && !free {
			return name
		}
		if bad := below.unknown(inside); bad != "" {
			return bad
		}
	}
	return ""
}

// has says whether a field is selected.
func (s selection) has(name string) bool {
	if s == nil {
		return true
	}
	_, named := s[name]
	_, all := s["*"]
	return named || all
}

// of is what is selected inside a field that is selected.
func (s selection) of(name string) selection {
	if s == nil {
		return nil
	}
	if below, ok := s[name]; ok {
		return below
	}
	return s["*"]
}

// object is a JSON object.
type object map[string]any

// pick returns what is selected of a value.
func (s selection) pick(v any) any {
	if s == nil {
		return v
	}
	switch v := v.(type) {
	case object:
		out := make(object, len(s))
		for name, value := range v {
			if s.has(name) {
				out[name] = s.of(name).pick(value)
			}
		}
		return out
	case []object:
		out := make([]any, len(v))
		for i, o := range v {
			out[i] = s.pick(o)
		}
		return out
	}
	return v
}

func schema(text string) selection {
	s, ok := parseFields(text)
	if !ok {
		panic("gdrive: bad schema " + text)
	}
	return s
}

// fields reads what a request selects of an answer, or what it gets by default.
func (x *exchange) fields(there, preset selection) (selection, error) {
	text := x.query.Get("fields")
	if text == "" {
		return preset, nil
	}
	s, ok := parseFields(text)
	if !ok {
		return nil, badParameter("fields", "invalidParameter", "Invalid field selection "+text)
	}
	if bad := s.unknown(there); bad != "" {
		return nil, badParameter("fields", "invalidParameter", "Invalid field selection "+bad)
	}
	return s, nil
}
