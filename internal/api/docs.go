package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page and its style
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
)

func documentRoutes() []route {
	return tagged("Documentation",
		streams("/openapi.json", "get_openapi", "This document", jsonType, "", (*call).specification),
		streams("/docs", "get_docs", "This document, to be read", "text/html", "", (*call).docs),
	)
}

func (c *call) specification(none) error {
	h := c.w.Header()
	h.Set("Content-Type", jsonType)
	h.Set("Cache-Control", "no-cache")
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(c.spec)
	return nil
}

//go:embed docs.html
var docsPage string

//go:embed docs.css
var docsStyle string

var docsTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("docs").Funcs(template.FuncMap{"lower": strings.ToLower}).Parse(docsPage))
})

// docs renders the document on the server: nothing is fetched from elsewhere,
// and no script runs.
func (c *call) docs(none) error {
	page, err := c.render()
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(docsStyle))
	h := c.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(page)
	return nil
}

// The parts of the document that the page shows.
type (
	docsData struct {
		Version string
		Style   template.CSS
		Tags    []docsTag
	}
	docsTag struct {
		Name       string
		Operations []docsOperation
	}
	docsOperation struct {
		Method, Path, ID, Summary, Note string
		Params                          []docsField
		Body, Answer                    []docsField
		Statuses                        []string
	}
	docsField struct {
		Name, Type, Where, Note string
		Required                bool
	}
)

func (s *server) render() ([]byte, error) {
	var doc specDocument
	if err := json.Unmarshal(s.spec, &doc); err != nil {
		return nil, err
	}
	data := docsData{Version: s.Version, Style: template.CSS(docsStyle)}
	for i := range s.routes {
		r := &s.routes[i]
		if len(data.Tags) == 0 || data.Tags[len(data.Tags)-1].Name != r.tag {
			data.Tags = append(data.Tags, docsTag{Name: r.tag})
		}
		tag := &data.Tags[len(data.Tags)-1]
		tag.Operations = append(tag.Operations, doc.describe(r))
	}
	var page bytes.Buffer
	err := docsTemplate().Execute(&page, data)
	return page.Bytes(), err
}

// specDocument is the OpenAPI document as far as the page reads it.
type specDocument struct {
	Paths map[string]map[string]struct {
		Description string
		Parameters  []struct {
			Name, In, Description string
			Required              bool
			Schema                specSchema
		}
		RequestBody struct {
			Content map[string]struct{ Schema specSchema }
		}
		Responses map[string]struct {
			Content map[string]struct{ Schema specSchema }
		}
	}
	Components struct{ Schemas map[string]specSchema }
}

type specSchema struct {
	Ref         string `json:"$ref"`
	Type        any
	Format      string
	Description string
	Required    []string
	Properties  map[string]specSchema
	Items       *specSchema
	AnyOf       []specSchema
	Enum        []any
}

func (d specDocument) describe(r *route) docsOperation {
	o := d.Paths[r.path][strings.ToLower(r.method)]
	out := docsOperation{Method: r.method, Path: r.path, ID: r.id, Summary: r.summary, Note: o.Description}
	for _, p := range o.Parameters {
		out.Params = append(out.Params, docsField{Name: p.Name, Where: p.In, Type: p.Schema.name(), Note: p.Description, Required: p.Required})
	}
	out.Body = d.fields(o.RequestBody.Content[jsonType].Schema)
	out.Answer = d.fields(o.Responses["200"].Content[jsonType].Schema)
	for status := range o.Responses {
		if status != "default" {
			out.Statuses = append(out.Statuses, status)
		}
	}
	slices.Sort(out.Statuses)
	return out
}

func (d specDocument) fields(s specSchema) (list []docsField) {
	if s.Ref != "" || len(s.AnyOf) > 0 && s.AnyOf[0].Ref != "" {
		s = d.Components.Schemas[s.name()]
	}
	for name, p := range s.Properties {
		list = append(list, docsField{Name: name, Type: p.name(), Note: p.Description, Required: slices.Contains(s.Required, name)})
	}
	slices.SortFunc(list, func(a, b docsField) int {
		if a.Required != b.Required {
			return map[bool]int{true: -1, false: 1}[a.Required]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list
}

// name says what type a schema is, in a word or two.
func (s specSchema) name() string {
	switch {
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case len(s.AnyOf) > 0:
		return s.AnyOf[0].name()
	case s.Items != nil:
		return "list of " + s.Items.name()
	case s.Format == "date-time":
		return "time"
	}
	switch t := s.Type.(type) {
	case string:
		return t
	case []any:
		if len(t) > 0 {
			first, _ := t[0].(string)
			return first
		}
	}
	return "any"
}
