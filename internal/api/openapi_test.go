package api_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"mooring/internal/api"
)

// spec reads the document.
func spec(t *testing.T) map[string]any {
	t.Helper()
	w := newWorld(t)
	var doc map[string]any
	got := w.with("", 200, "GET", "/openapi.json", nil)
	if err := json.Unmarshal(got.raw, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestOpenAPIHasEveryRoute(t *testing.T) {
	doc := spec(t)
	if doc["openapi"] != "3.1.0" {
		t.Errorf("version %v", doc["openapi"])
	}
	paths := doc["paths"].(map[string]any)
	ids, n := map[string]bool{}, 0
	for _, r := range api.Routes() {
		item, _ := paths[r.Path].(map[string]any)
		o, ok := item[strings.ToLower(r.Method)].(map[string]any)
		if !ok || o["operationId"] != r.ID || ids[r.ID] {
			t.Errorf("%s %s is not there, or its id is not its own", r.Method, r.Path)
			continue
		}
		ids[r.ID] = true
		if _, secured := o["security"]; secured != (r.Need != "") {
			t.Errorf("%s: security %v", r.ID, o["security"])
		}
		var declared []string
		params, _ := o["parameters"].([]any)
		for _, p := range params {
			if p := p.(map[string]any); p["in"] == "path" && p["required"] == true {
				declared = append(declared, p["name"].(string))
			}
		}
		if inPath := param.FindAllString(r.Path, -1); len(inPath) != len(declared) {
			t.Errorf("%s: %v are declared of %v", r.ID, declared, inPath)
		}
		if responses := o["responses"].(map[string]any); responses["default"] == nil || len(responses) < 2 {
			t.Errorf("%s: responses %v", r.ID, responses)
		}
	}
	for _, item := range paths {
		n += len(item.(map[string]any))
	}
	if n != len(ids) {
		t.Errorf("%d operations, %d routes", n, len(ids))
	}
	for _, op := range theContract().Operations {
		found := false
		for _, r := range api.Routes() {
			found = found || r.Method == op.Method && param.ReplaceAllString(r.Path, "{}") == op.Path && r.ID == op.ID
		}
		if !found {
			t.Errorf("the contract's %s %s is not served under its id %s", op.Method, op.Path, op.ID)
		}
	}
}

var schemaKeys = regexp.MustCompile(`^(type|title|description|\$ref|format|contentMediaType|contentEncoding|default|examples|items|additionalProperties|properties|enum|minimum|maximum|minLength|maxLength|minItems|maxItems|required|anyOf)$`)

// TestOpenAPIIsWellFormed walks all schemas: references lead somewhere, required
// keys are described, and only keywords of JSON Schema 2020-12 occur.
func TestOpenAPIIsWellFormed(t *testing.T) {
	doc := spec(t)
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	var walk func(v any, path string)
	walkSchema := func(s map[string]any, path string) {
		for k := range s {
			if !schemaKeys.MatchString(k) {
				t.Errorf("%s: keyword %s", path, k)
			}
		}
		if ref, ok := s["$ref"].(string); ok && schemas[strings.TrimPrefix(ref, "#/components/schemas/")] == nil {
			t.Errorf("%s: %s leads nowhere", path, ref)
		}
		properties, _ := s["properties"].(map[string]any)
		required, _ := s["required"].([]any)
		for _, r := range required {
			if len(properties) > 0 && properties[r.(string)] == nil {
				t.Errorf("%s: required %v is not described", path, r)
			}
		}
		for name, p := range properties {
			walk(p, path+"."+name)
		}
		for _, k := range []string{"items", "additionalProperties"} {
			if m, ok := s[k].(map[string]any); ok {
				walk(m, path+"."+k)
			}
		}
		if s["additionalProperties"] == false {
			t.Errorf("%s: unknown keys are forbidden, but the server takes them", path)
		}
		list, _ := s["anyOf"].([]any)
		for i, p := range list {
			walk(p, fmt.Sprintf("%s.anyOf[%d]", path, i))
		}
	}
	walk = func(v any, path string) {
		m, ok := v.(map[string]any)
		if !ok {
			t.Errorf("%s is no schema: %v", path, v)
			return
		}
		walkSchema(m, path)
	}
	for name, s := range schemas {
		walk(s, name)
	}
	var find func(v any, path string)
	find = func(v any, path string) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				if k == "schema" {
					walk(e, path)
					continue
				}
				find(e, path+"/"+k)
			}
		case []any:
			for i, e := range v {
				find(e, fmt.Sprintf("%s[%d]", path, i))
			}
		}
	}
	find(doc["paths"], "")
}

// TestOpenAPIIsAsLenientAsTheServer takes what the server takes.
func TestOpenAPIIsAsLenientAsTheServer(t *testing.T) {
	schemas := spec(t)["components"].(map[string]any)["schemas"].(map[string]any)
	property := func(schema, name string) map[string]any {
		p, _ := schemas[schema].(map[string]any)["properties"].(map[string]any)[name].(map[string]any)
		return p
	}
	nullable := func(p map[string]any) bool {
		raw, _ := json.Marshal(p)
		return strings.Contains(string(raw), `"null"`)
	}
	for schema, names := range map[string][]string{
		"StorageConnectionCreateRequest": {"description", "metadata", "test_before_save"},
		"SyncCreateRequest":              {"file_filters", "schema_mapping", "polling_interval_seconds", "sync_mode"},
		"ListObjectsRequest":             {"filters", "sort", "select", "limit"},
		"ApiKeyUpdateRequest":            {"expires_at", "scopes", "permissions"},
	} {
		for _, name := range names {
			if p := property(schema, name); p == nil || !nullable(p) {
				t.Errorf("%s.%s may not be null: %v", schema, name, p)
			}
		}
	}
	if p := property("SyncCreateRequest", "sync_mode"); p["enum"] != nil {
		t.Error("sync_mode is taken in any case, and enumerated in one")
	}
	if p := property("StorageConnectionModel", "description"); !nullable(p) {
		t.Error("an answer's null is not described")
	}
	if p := property("StorageConnectionModel", "last_used_at"); !nullable(p) || p["format"] != "date-time" {
		t.Errorf("a time that may be missing: %v", p)
	}
	if p := property("StorageConnectionListResponse", "results"); nullable(p) {
		t.Error("a list of an answer may be null")
	}
}

func TestDocsPage(t *testing.T) {
	w := newWorld(t)
	got := w.with("", 200, "GET", "/docs", nil)
	page := string(got.raw)
	for _, r := range api.Routes() {
		if !strings.Contains(page, r.Path) {
			t.Errorf("%s is not on the page", r.Path)
		}
	}
	for _, foreign := range []string{"<script", "http://", "https://", "src=", "@import", "url("} {
		if strings.Contains(page, foreign) {
			t.Errorf("the page holds %s", foreign)
		}
	}
	if !strings.Contains(got.header.Get("Content-Security-Policy"), "style-src 'sha256-") || strings.Contains(got.header.Get("Content-Security-Policy"), "unsafe") {
		t.Errorf("policy: %s", got.header.Get("Content-Security-Policy"))
	}
	if !strings.Contains(page, "test_before_save") || !strings.Contains(page, "delete_policy") {
		t.Error("the fields of bodies are not on the page")
	}
}

// TestOpenAPITellsOfPages has a browser's routes answered with pages, also when
// something is wrong, and documents what is taken for absent.
func TestOpenAPITellsOfPages(t *testing.T) {
	paths := spec(t)["paths"].(map[string]any)
	at := func(keys ...string) map[string]any {
		t.Helper()
		m := paths
		for _, k := range keys {
			next, ok := m[k].(map[string]any)
			if !ok {
				t.Fatalf("%v: no %s", keys, k)
			}
			m = next
		}
		return m
	}
	at("/connect/{token}", "get", "responses", "404", "content", "text/html")
	at("/connect/{token}", "post", "responses", "303")
	settings := at("/v1/organizations/audit/settings", "patch", "requestBody", "content", "application/json", "schema")
	if either, _ := settings["anyOf"].([]any); len(either) != 2 {
		t.Errorf("null is taken for an empty change, which the document does not say: %v", settings)
	}
	create := at("/v1/organizations/connections", "post", "requestBody", "content", "application/json", "schema")
	if create["$ref"] == nil {
		t.Errorf("null makes no connection: %v", create)
	}
	params, _ := at("/v1/organizations/audit/logs", "get")["parameters"].([]any)
	for _, p := range params {
		if p := p.(map[string]any); p["allowEmptyValue"] != true {
			t.Errorf("an empty %v is as absent, which the document does not say", p["name"])
		}
	}
}
