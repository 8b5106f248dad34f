package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"mooring/internal/errs"
)

const (
	maxBody  = 10 << 20
	maxDepth = 64
)

// decode fills a query and a body, gathering the bad fields of both.
func (c *call) decode(query, body any) error {
	f := errs.NewFields()
	readQuery(reflect.ValueOf(query).Elem(), c.r.URL.Query(), f.At("query"))
	if _, nothing := body.(*none); !nothing {
		doc, err := c.document()
		if err != nil {
			return err
		}
		switch obj := doc.(type) {
		case map[string]any:
			fill(reflect.ValueOf(body).Elem(), obj, f.At("body"))
		case nil: // empty, or null: as an empty object
			fill(reflect.ValueOf(body).Elem(), nil, f.At("body"))
		default:
			f.Add("dict_type", "must be a JSON object", "body")
		}
	}
	return f.Err("api.request")
}

// document reads the body as JSON with numbers kept as they are written. An
// empty body is nil, whatever its content type.
func (c *call) document() (any, error) {
	if coding := c.r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, errCoded
	}
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return nil, errTooBig
	case err != nil:
		return nil, malformed("the body did not arrive whole")
	case !utf8.Valid(raw):
		return nil, malformed("the body is not UTF-8")
	}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil, nil
	}
	if tooDeep(raw) {
		return nil, malformed("the body is nested deeper than " + strconv.Itoa(maxDepth))
	}
	var doc any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	err = dec.Decode(&doc)
	if _, end := dec.Token(); err != nil || !errors.Is(end, io.EOF) { // More takes a stray bracket for an end
		return nil, malformed("the body is not JSON") // without the decoder's text, which quotes it
	}
	return doc, nil
}

func malformed(msg string) error { return errs.New(errs.Invalid, "api.body", msg) }

// tooDeep looks only at brackets outside of strings: whether the rest is JSON
// is the decoder's business.
func tooDeep(raw []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// reader is a type that reads its own JSON value.
type reader interface {
	read(v any, at errs.Fields)
}

// nullable is a reader that null means something to; to all others a null is
// an absent key.
type nullable interface {
	reader
	readsNull()
}

// fill reads an object into a struct by its tags, which are also those the
// OpenAPI document is made from:
//
//	json:"name"            a required key; with ,omitempty an optional one
//	alias:"other"          another name for it
//	minimum, maximum       of numbers
//	minLength, maxLength   of strings, in code points
//	oneof:"a,b" fold:"lower"  the values of a string, brought to a case before
//
// Unknown keys are ignored, null is as absent.
func fill(to reflect.Value, obj map[string]any, at errs.Fields) {
	for i := range to.NumField() {
		field := to.Type().Field(i)
		if field.Anonymous {
			fill(to.Field(i), obj, at)
			continue
		}
		name, opts, _ := strings.Cut(field.Tag.Get("json"), ",")
		v := obj[name]
		if alias := field.Tag.Get("alias"); v == nil && alias != "" {
			v = obj[alias]
		}
		_, null := to.Field(i).Addr().Interface().(nullable)
		if _, given := obj[name]; v == nil && (!null || !given) {
			if opts == "" {
				at.Add("missing", "field required", name)
			}
			continue
		}
		set(to.Field(i), v, field.Tag, at.At(name))
	}
}

// set reads one value. What is wrong is noted without repeating the value.
func set(to reflect.Value, v any, tag reflect.StructTag, at errs.Fields) {
	if r, ok := to.Addr().Interface().(reader); ok {
		r.read(v, at)
		return
	}
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		set(to.Elem(), v, tag, at)
	case reflect.String:
		setString(to, v, tag, at)
	case reflect.Bool:
		b, ok := v.(bool)
		if !ok {
			at.Add("bool_type", "must be true or false")
		}
		to.SetBool(b)
	case reflect.Int, reflect.Int64:
		setInt(to, v, tag, at)
	case reflect.Slice:
		setSlice(to, v, tag, at)
	case reflect.Struct:
		obj, ok := v.(map[string]any)
		if !ok {
			at.Add("dict_type", "must be an object")
			return
		}
		fill(to, obj, at)
	case reflect.Map:
		obj, ok := v.(map[string]any)
		if !ok {
			at.Add("dict_type", "must be an object")
			return
		}
		to.Set(reflect.ValueOf(obj))
	case reflect.Interface:
		to.Set(reflect.ValueOf(v))
	default:
		panic("api: a request type has a field of kind " + to.Kind().String())
	}
}

func setString(to reflect.Value, v any, tag reflect.StructTag, at errs.Fields) {
	s, ok := v.(string)
	if !ok {
		at.Add("string_type", "must be a string")
		return
	}
	switch tag.Get("fold") {
	case "lower":
		s = strings.ToLower(strings.TrimSpace(s))
	case "upper":
		s = strings.ToUpper(strings.TrimSpace(s))
	}
	n := utf8.RuneCountInString(s)
	if least, ok := bound(tag, "minLength"); ok && int64(n) < least {
		at.Add("string_too_short", "must have at least "+tag.Get("minLength")+" characters")
	}
	if most, ok := bound(tag, "maxLength"); ok && int64(n) > most {
		at.Add("string_too_long", "must have at most "+tag.Get("maxLength")+" characters")
	}
	if strings.ContainsRune(s, 0) {
		at.Add("value_error", "must not hold NUL")
	}
	if list := tag.Get("oneof"); list != "" && !member(s, list) {
		at.Add("enum", "must be one of "+strings.ReplaceAll(list, ",", ", "))
	}
	to.SetString(s)
}

func member(s, list string) bool {
	for m := range strings.SplitSeq(list, ",") {
		if m == s {
			return true
		}
	}
	return false
}

func setInt(to reflect.Value, v any, tag reflect.StructTag, at errs.Fields) {
	text, ok := v.(json.Number)
	n, err := strconv.ParseInt(text.String(), 10, 64)
	if ok && err != nil { // 5.0 and 5e2 are integers too
		f, ferr := text.Float64()
		if n = int64(f); ferr == nil && f > -1<<53 && f < 1<<53 && float64(n) == f {
			err = nil
		}
	}
	if !ok || err != nil {
		at.Add("int_type", "must be an integer")
		return
	}
	if least, ok := bound(tag, "minimum"); ok && n < least {
		at.Add("greater_than_equal", "must be at least "+tag.Get("minimum"))
	}
	if most, ok := bound(tag, "maximum"); ok && n > most {
		at.Add("less_than_equal", "must be at most "+tag.Get("maximum"))
	}
	to.SetInt(n)
}

func bound(tag reflect.StructTag, name string) (int64, bool) {
	n, err := strconv.ParseInt(tag.Get(name), 10, 64)
	return n, err == nil
}

// maxItems bounds lists in requests.
const maxItems = 10_000

func setSlice(to reflect.Value, v any, tag reflect.StructTag, at errs.Fields) {
	list, ok := v.([]any)
	if !ok {
		at.Add("list_type", "must be a list")
		return
	}
	if len(list) > maxItems {
		at.Add("too_long", "must have at most "+strconv.Itoa(maxItems)+" items")
		return
	}
	out := reflect.MakeSlice(to.Type(), len(list), len(list))
	for i, item := range list {
		set(out.Index(i), item, tag, at.At(i))
	}
	to.Set(out)
}

// readQuery is fill for the parameters of a query, tagged query:"name" and
// default. An empty value is as absent.
func readQuery(to reflect.Value, q map[string][]string, at errs.Fields) {
	for i := range to.NumField() {
		field := to.Type().Field(i)
		if field.Anonymous {
			readQuery(to.Field(i), q, at)
			continue
		}
		name := field.Tag.Get("query")
		text := field.Tag.Get("default")
		if given := q[name]; len(given) > 0 && given[len(given)-1] != "" {
			text = given[len(given)-1]
		}
		if text == "" {
			continue
		}
		if !utf8.ValidString(text) {
			at.Add("value_error", "must be UTF-8", name)
			continue
		}
		set(to.Field(i), parsed(to.Field(i).Type(), text), field.Tag, at.At(name))
	}
}

// parsed brings a parameter's text to the JSON value that its type reads.
func parsed(t reflect.Type, text string) any {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	case reflect.Int, reflect.Int64:
		return json.Number(text)
	}
	return text
}
