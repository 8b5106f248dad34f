package web

import (
	"fmt"
	"net/http"
	"strings"

	connectionservice "mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/surface"
)

// problem is what is wrong, for people.
type problem struct {
	Message string
	Fields  []badField
	Advice  []string // what to do
	Details []detail
	Status  int
}

// badField leads to the field of a form that is wrong.
type badField struct{ ID, Label, Message string }

type detail struct{ Name, Value string }

// problem explains an error. What is ours to hide stays in the log.
func (v *visit) problem(err error) *problem {
	e, status := errs.From(err), surface.Status(err, true)
	p := &problem{Message: e.Message(), Status: status}
	switch {
	case status == http.StatusInternalServerError:
		return &problem{Message: "Something went wrong on the server: its log says more under the request id " + v.w.ID + ".", Status: status}
	case e.Kind == errs.Canceled:
		p.Message = "the server is shutting down, or the request was given up: try again"
	case e.RetryAfter > 0:
		p.Advice = append(p.Advice, "Try again in "+retryAfter(e.RetryAfter)+".")
	}
	p.Message = sentence(p.Message)
	for _, f := range e.Fields {
		p.Fields = append(p.Fields, badField{ID: fieldID(f.Loc), Label: fieldLabel(f.Loc), Message: f.Msg})
	}
	if result, ok := connectionservice.ResultOf(err); ok {
		p.addResult(result)
	}
	return p
}

// addResult tells what is known of a test that failed.
func (p *problem) addResult(r connectionservice.TestResult) {
	if field, _ := r.Details["field"].(string); field != "" {
		loc := []any{"body", "provider_config"}
		for part := range strings.SplitSeq(field, ".") {
			loc = append(loc, part)
		}
		p.Fields = append(p.Fields, badField{ID: fieldID(loc), Label: fieldLabel(loc), Message: "is what the provider's answer points to"})
	}
	for _, name := range []struct{ key, title string }{{"error_code", "Provider's code"}, {"request_id", "Provider's request id"}, {"latency_ms", "Answered after (ms)"}} {
		if x, ok := r.Details[name.key]; ok && x != "" {
			p.Details = append(p.Details, detail{name.title, fmt.Sprint(x)})
		}
	}
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.ContainsAny(s[len(s)-1:], ".!?)") {
		s += "."
	}
	return s
}

// fieldID is the id and name that a field has in forms: its path without what
// all have in common.
func fieldID(loc []any) string {
	var parts []string
	for _, l := range loc {
		if s := fmt.Sprint(l); s != "body" && s != "query" && s != "provider_config" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ".")
}

// fieldLabel is how people call a field.
func fieldLabel(loc []any) string {
	name := fieldID(loc)
	return labelOf(name[strings.LastIndex(name, ".")+1:])
}

// labelOf makes a label of a field's name: words, and abbreviations as such.
func labelOf(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words {
		switch w {
		case "id", "url", "arn", "ssl", "iam":
			words[i] = strings.ToUpper(w)
		}
	}
	label := strings.Join(words, " ")
	if label == "" {
		return "Form"
	}
	return strings.ToUpper(label[:1]) + label[1:]
}

// again shows a form's page with what is wrong with what was sent. htmx takes
// the block #problem of it and leaves the form as it is, so that nothing typed is
// lost; without scripts the page is shown with all that was typed but secrets.
func (v *visit) again(err error, name string, f frame) error {
	status := surface.Status(err, true)
	v.report(err, status)
	f.Problem = v.problem(err)
	return v.show(status, name, f)
}
