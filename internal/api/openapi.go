package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"mooring/internal/access"
)

// openAPI makes the document from the table of routes and the types that the
// handlers really take and give. It is as lenient as the server: unknown keys
// are allowed, null stands for an absent key, and values that are folded to a
// case are described rather than enumerated.
func (s *server) openAPI() []byte {
	reg := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Mooring", Version: s.Version,
			Description: "Storage connections, and buckets kept in sync with what they hold. Unknown keys of requests are ignored; null is as absent.",
			License:     nil,
		},
		Paths: map[string]*huma.PathItem{},
		Components: &huma.Components{Schemas: reg, SecuritySchemes: map[string]*huma.SecurityScheme{
			"key": {Type: "http", Scheme: "bearer", Description: "An API key."},
		}},
	}
	for i := range s.routes {
		r := &s.routes[i]
		if !slices.ContainsFunc(doc.Tags, func(t *huma.Tag) bool { return t.Name == r.tag }) {
			doc.Tags = append(doc.Tags, &huma.Tag{Name: r.tag})
		}
		item := doc.Paths[r.path]
		if item == nil {
			item = &huma.PathItem{}
			doc.Paths[r.path] = item
		}
		place(item, r.method, operation(reg, r))
	}
	for name, schema := range reg.Map() {
		loosen(schema)
		relax(reg.TypeFromRef("#/components/schemas/"+name), schema, strings.HasSuffix(name, "Request") || name == "SyncSettings" || name == "SortOption" || name == "ResourceScope")
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		panic(err) // our own types can't be described
	}
	return raw
}

func place(item *huma.PathItem, method string, o *huma.Operation) {
	switch method {
	case http.MethodGet:
		item.Get = o
	case http.MethodPost:
		item.Post = o
	case http.MethodPatch:
		item.Patch = o
	case http.MethodDelete:
		item.Delete = o
	default:
		panic("api: no place for " + method)
	}
}

func operation(reg huma.Registry, r *route) *huma.Operation {
	o := &huma.Operation{OperationID: r.id, Summary: r.summary, Tags: []string{r.tag}, Responses: map[string]*huma.Response{}}
	for _, name := range pathNames(r.path) {
		o.Parameters = append(o.Parameters, &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString, MinLength: new(1)}})
	}
	if r.need != "" {
		o.Security = []map[string][]string{{"key": {}}}
		o.Description = "Needs a key with the permission " + string(r.need) + "."
	}
	if r.namespace {
		o.Parameters = append(o.Parameters, &huma.Param{
			Name: "X-Namespace", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "Id or name of the namespace; needed only where the organization has several.",
		})
	}
	o.Parameters = append(o.Parameters, queryParams(reg, r.query)...)
	if r.body != reflect.TypeFor[none]() {
		schema := reg.Schema(r.body, true, r.id+"Request")
		if len(reg.SchemaFromRef(schema.Ref).Required) == 0 { // null is as an empty object
			schema = orNull(schema)
		}
		o.RequestBody = &huma.RequestBody{Required: !r.bodyOptional, Content: map[string]*huma.MediaType{jsonType: {Schema: schema}}}
	}
	answers(reg, r, o)
	return o
}

func queryParams(reg huma.Registry, t reflect.Type) (list []*huma.Param) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			list = append(list, queryParams(reg, f.Type)...)
			continue
		}
		schema := huma.SchemaFromField(reg, f, "")
		schema.Nullable = false
		describe(f, schema)
		list = append(list, &huma.Param{Name: f.Tag.Get("query"), In: "query", Schema: schema, Description: schema.Description, AllowEmptyValue: true})
	}
	return list
}

func answers(reg huma.Registry, r *route, o *huma.Operation) {
	failure := map[string]*huma.MediaType{jsonType: {Schema: reg.Schema(reflect.TypeFor[errorResponse](), true, "")}}
	if isPage(r) {
		failure[htmlType] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	for _, status := range failures(r) {
		o.Responses[strconv.Itoa(status)] = &huma.Response{Description: typeNames[status], Content: failure}
	}
	o.Responses["default"] = &huma.Response{Description: "Any other error", Content: failure}
	switch {
	case r.stream:
		format := "binary"
		if strings.HasPrefix(r.contentType, "text/") || r.contentType == jsonType {
			format = ""
		}
		content := map[string]*huma.MediaType{r.contentType: {Schema: &huma.Schema{Type: huma.TypeString, Format: format}}}
		if r.contentType == jsonType {
			content[jsonType].Schema = &huma.Schema{Type: huma.TypeObject}
		}
		if format == "binary" {
			// Stored content has the type that it was stored with.
			content["*/*"] = content[r.contentType]
			o.Responses["206"] = &huma.Response{Description: "A part", Content: content}
			o.Responses["304"] = &huma.Response{Description: "Not modified"}
		}
		if r.method == http.MethodPost {
			o.Responses["303"] = &huma.Response{Description: "See other: the Location"}
			return
		}
		o.Responses["200"] = &huma.Response{Description: "OK", Content: content}
	case r.answer == reflect.TypeFor[none]():
		o.Responses["204"] = &huma.Response{Description: "Done"}
	default:
		o.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{jsonType: {Schema: reg.Schema(r.answer, true, r.id+"Response")}}}
	}
}

// isPage reports whether a route is for a user's browser, which is answered with
// a page also when something is wrong.
func isPage(r *route) bool { return strings.HasPrefix(r.path, connectLead+"/") }

// failures lists the errors that a route can be answered with.
func failures(r *route) []int {
	list := []int{http.StatusUnprocessableEntity, http.StatusInternalServerError}
	if r.need != "" {
		list = append(list, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	}
	if r.need != "" && r.need != access.Read {
		list = append(list, http.StatusConflict)
	}
	if r.body != reflect.TypeFor[none]() {
		list = append(list, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if isPage(r) {
		list = append(list, http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable)
	}
	if r.id == "readyz" {
		list = append(list, http.StatusServiceUnavailable)
	}
	if strings.HasSuffix(r.path, "/browse") || strings.HasSuffix(r.path, "/folders") || strings.HasSuffix(r.path, "/files") || strings.HasSuffix(r.path, "/preview") {
		list = append(list, http.StatusBadGateway, http.StatusConflict)
	}
	return list
}

// loosen allows unknown keys, which the schemas of structs forbid by default,
// and takes back that lists may be null.
func loosen(s *huma.Schema) {
	if s == nil {
		return
	}
	if strict, ok := s.AdditionalProperties.(bool); ok && !strict {
		s.AdditionalProperties = nil
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
		loosen(s.Items)
	}
	for _, p := range s.Properties {
		loosen(p)
	}
}

// relax makes null possible where it is: of requests in every optional key, of
// answers in every pointer.
func relax(t reflect.Type, s *huma.Schema, request bool) {
	if t == nil || t.Kind() != reflect.Struct {
		return
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			relax(f.Type, s, request)
			continue
		}
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := s.Properties[name]
		if p == nil {
			continue
		}
		describe(f, p)
		optional := opts != ""
		if request && optional || !request && !optional && f.Type.Kind() == reflect.Pointer {
			s.Properties[name] = orNull(p)
		}
		if alias := f.Tag.Get("alias"); alias != "" { // either name will do
			s.Required = slices.DeleteFunc(s.Required, func(r string) bool { return r == name })
			s.Properties[alias] = &huma.Schema{Type: huma.TypeString, Description: "another name for " + name}
			s.AnyOf = []*huma.Schema{{Required: []string{name}}, {Required: []string{alias}}}
		}
	}
}

func orNull(p *huma.Schema) *huma.Schema {
	switch {
	case p.Ref != "":
		return &huma.Schema{AnyOf: []*huma.Schema{p, {Type: "null"}}, Description: p.Description}
	case p.Type != "":
		p.Nullable = true
		if len(p.Enum) > 0 {
			p.Enum = append(slices.Clone(p.Enum), nil)
		}
	}
	return p
}

// describe tells the values of a text that is taken in any case.
func describe(f reflect.StructField, p *huma.Schema) {
	values := f.Tag.Get("oneof")
	if values == "" || strings.Contains(p.Description, "One of ") {
		return
	}
	told := "One of " + strings.ReplaceAll(values, ",", ", ") + ", in any case."
	if p.Description != "" {
		told = p.Description + ". " + told
	}
	p.Description = told
}
