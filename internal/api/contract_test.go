package api_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// contract is what the answers of the reference API are: its operations, the
// schemas of their answers and the keys of sample answers.
type contract struct {
	Operations []struct{ Method, Path, ID, Response, Permission string }
	Schemas    map[string]struct {
		Union  []string
		Fields []contractField
	}
	Samples map[string][][]string
}

type contractField struct {
	Name      string
	Type      string `json:"json_type"`
	Ref       string
	Items     string
	Values    string
	Enum      []string
	Format    string
	Pattern   string
	Min, Max  *json.Number
	MinLength *int `json:"min_length"`
	MaxLength *int `json:"max_length"`
	Required  bool
}

//go:embed testdata/contract.json
var contractFile []byte

var theContract = sync.OnceValue(func() contract {
	var c contract
	if err := json.Unmarshal(contractFile, &c); err != nil {
		panic(err)
	}
	return c
})

var param = regexp.MustCompile(`\{[^}]*\}`)

// operationOf finds the contract's operation that a request is one of.
func operationOf(r *http.Request) (response string, ok bool) {
	path := strings.Split(r.URL.EscapedPath(), "/")
	for _, op := range theContract().Operations {
		pattern := strings.Split(op.Path, "/")
		same := op.Method == r.Method && len(pattern) == len(path)
		for i := range pattern {
			same = same && (pattern[i] == "{}" && !literal(pattern, i, path[i]) || pattern[i] == path[i])
		}
		if same {
			return op.Response, true
		}
	}
	return "", false
}

// literal reports whether another operation has this segment as it is.
func literal(pattern []string, i int, segment string) bool {
	for _, op := range theContract().Operations {
		other := strings.Split(op.Path, "/")
		if len(other) == len(pattern) && slices.Equal(other[:i], pattern[:i]) && other[i] == segment {
			return true
		}
	}
	return false
}

// checkAgainstContract holds every answer of every test against the contract.
func checkAgainstContract(t testing.TB, r *http.Request, got reply) {
	t.Helper()
	var faults []string
	switch {
	case got.status >= 400:
		faults = check("ErrorResponse", got.doc, "")
		if n := got.number("status"); n != int64(got.status) {
			faults = append(faults, "status in the body is not the HTTP status")
		}
		if got.at("success") != false || got.text("error", "type") == "" || got.text("error", "message") == "" {
			faults = append(faults, "not the body of an error")
		}
		if got.status == 422 {
			faults = append(faults, check("HTTPValidationError", got.doc, "")...)
			if l, ok := got.doc["detail"].([]any); !ok || len(l) == 0 {
				faults = append(faults, "a 422 names no field")
			}
		}
	default:
		schema, ok := operationOf(r)
		if !ok {
			return
		}
		if got.status != 200 {
			faults = append(faults, fmt.Sprintf("status %d where the contract's client knows only 200", got.status))
		}
		faults = append(faults, check(schema, got.doc, "")...)
		faults = append(faults, sampleKeys(schema, got.doc)...)
	}
	if len(faults) > 0 {
		t.Errorf("%s %s breaks the contract:\n  %s\n%s", r.Method, r.URL.Path, strings.Join(faults, "\n  "), got.raw)
	}
}

// sampleKeys reports keys that every sample has and the answer has not.
func sampleKeys(schema string, doc map[string]any) (faults []string) {
	samples := theContract().Samples[schema]
	if len(samples) == 0 {
		return nil
	}
	for _, key := range samples[0] {
		if key == "category" || key == "file_filters" || key == "schema_mapping" || key == "unique_key" {
			continue // a mapped field; optional parts
		}
		if _, ok := doc[key]; !ok && !slices.ContainsFunc(samples, func(s []string) bool { return !slices.Contains(s, key) }) {
			faults = append(faults, "the sample has the key "+key)
		}
	}
	return faults
}

// check holds a value against a schema of the contract.
func check(schema string, v any, path string) (faults []string) {
	s, ok := theContract().Schemas[schema]
	if !ok {
		return nil
	}
	doc, isObject := v.(map[string]any)
	if !isObject {
		return []string{path + " is no object"}
	}
	if len(s.Union) > 0 {
		return checkUnion(schema, doc, path)
	}
	for _, f := range s.Fields {
		here := path + "." + f.Name
		value, present := doc[f.Name]
		if !present || value == nil {
			if f.Required {
				faults = append(faults, here+" is missing or null")
			}
			continue
		}
		faults = append(faults, checkField(f, value, here)...)
	}
	return faults
}

func checkUnion(schema string, doc map[string]any, path string) []string {
	switch schema {
	case "ProviderConfig":
		if creds, ok := doc["credentials"].(map[string]any); !ok || creds["type"] == nil || doc["provider_type"] == nil {
			return []string{path + " lacks provider_type or credentials.type"}
		}
	case "MappingEntry":
		source, _ := doc["source"].(map[string]any)
		if doc["target_type"] == nil || source["type"] == nil {
			return []string{path + " lacks target_type or source.type"}
		}
	}
	return nil
}

func checkField(f contractField, v any, path string) (faults []string) {
	bad := func(what string) { faults = append(faults, fmt.Sprintf("%s %s: %v", path, what, v)) }
	switch f.Type {
	case "string":
		s, ok := v.(string)
		switch {
		case !ok:
			bad("is no string")
		case len(f.Enum) > 0 && !slices.Contains(f.Enum, s):
			bad("is not in the enum")
		case f.Format == "date-time" && !goodTime(s):
			bad("is no time of the one form")
		case f.MaxLength != nil && utf8.RuneCountInString(s) > *f.MaxLength, f.MinLength != nil && utf8.RuneCountInString(s) < *f.MinLength:
			bad("has the wrong length")
		}
	case "integer":
		n, ok := v.(json.Number)
		if !ok || strings.ContainsAny(n.String(), ".eE") {
			bad("is no integer")
		}
	case "number":
		if _, ok := v.(json.Number); !ok {
			bad("is no number")
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			bad("is no boolean")
		}
	case "object":
		m, ok := v.(map[string]any)
		if !ok {
			bad("is no object")
		}
		if f.Ref != "" && ok {
			faults = append(faults, check(f.Ref, m, path)...)
		}
		for k, e := range m {
			if f.Values != "" {
				faults = append(faults, check(f.Values, e, path+"."+k)...)
			}
		}
	case "array":
		l, ok := v.([]any)
		if !ok {
			bad("is no list")
		}
		for i, e := range l {
			here := fmt.Sprintf("%s[%d]", path, i)
			if _, isString := e.(string); f.Items == "string" && !isString {
				faults = append(faults, here+" is no string")
			} else if _, known := theContract().Schemas[f.Items]; known {
				faults = append(faults, check(f.Items, e, here)...)
			}
		}
	}
	return faults
}

func goodTime(s string) bool {
	t, err := time.Parse("2006-01-02T15:04:05.000Z", s)
	return err == nil && t.Year() > 1 && len(s) == len("2006-01-02T15:04:05.000Z")
}

// TestTheCheckerFindsFaults proves that what checks all others can fail.
func TestTheCheckerFindsFaults(t *testing.T) {
	good := func() map[string]any {
		return map[string]any{"results": []any{}, "pagination": map[string]any{}, "total": json.Number("0")}
	}
	if f := check("StorageConnectionListResponse", good(), ""); len(f) > 0 {
		t.Fatalf("a good answer has faults: %v", f)
	}
	for name, spoil := range map[string]func(map[string]any){
		"null list":   func(d map[string]any) { d["results"] = nil },
		"float total": func(d map[string]any) { d["total"] = json.Number("1.0") },
		"text total":  func(d map[string]any) { d["total"] = "1" },
		"bad item":    func(d map[string]any) { d["results"] = []any{map[string]any{"name": "x"}} },
		"no paging":   func(d map[string]any) { delete(d, "pagination") },
	} {
		doc := good()
		spoil(doc)
		if len(check("StorageConnectionListResponse", doc, "")) == 0 {
			t.Errorf("%s is not found", name)
		}
	}
	if goodTime("2026-01-02T03:04:05Z") || goodTime("0001-01-01T00:00:00.000Z") {
		t.Error("a time of another form, or none, is taken")
	}
}
