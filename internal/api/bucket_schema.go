package api

import (
	"slices"
	"strings"

	"mooring/internal/errs"
	"mooring/internal/surface"
)

// fieldTypes are the contract's BucketSchemaFieldType.
const fieldTypes = "string,number,integer,float,boolean,object,array,date,datetime,text,image,audio,video,pdf,excel"

// bucketSchema checks the form of a bucket's schema, which is otherwise kept as
// it was sent: one item that can't be read breaks a whole list for the
// contract's clients.
func bucketSchema(raw map[string]any, at errs.Fields) map[string]any {
	clean, ok := plain(raw)
	if !ok {
		at.Add("value_error", "holds a number or text that can't be kept exactly")
		return nil
	}
	schema := orEmpty(clean.(map[string]any))
	switch properties := schema["properties"].(type) {
	case nil:
		schema["properties"] = map[string]any{}
	case map[string]any:
		schemaFields(properties, at.At("properties"), 0)
	default:
		at.Add("dict_type", "must be an object", "properties")
	}
	return schema
}

const schemaDepth = 16

func schemaFields(properties map[string]any, at errs.Fields, depth int) {
	for name, raw := range properties {
		here := at.At(surface.Clip(name, 100))
		field, ok := raw.(map[string]any)
		if !ok || depth > schemaDepth {
			here.Add("dict_type", "must be an object with a type, not nested deeper than 16")
			continue
		}
		schemaField(field, here, depth)
	}
}

func schemaField(field map[string]any, at errs.Fields, depth int) {
	typ, ok := field["type"].(string)
	if typ = strings.ToLower(typ); !ok {
		at.Add("missing", "field required", "type")
	} else if !member(typ, fieldTypes) {
		at.Add("enum", "must be one of "+strings.ReplaceAll(fieldTypes, ",", ", "), "type")
	}
	field["type"] = typ
	for name, good := range map[string]func(any) bool{
		"description": func(v any) bool { _, ok := v.(string); return ok },
		"required":    func(v any) bool { _, ok := v.(bool); return ok },
		"enum":        func(v any) bool { _, ok := v.([]any); return ok },
		"examples":    func(v any) bool { _, ok := v.([]any); return ok },
		"items":       func(v any) bool { _, ok := v.(map[string]any); return ok },
		"properties":  func(v any) bool { _, ok := v.(map[string]any); return ok },
	} {
		if v := field[name]; v == nil {
			delete(field, name)
		} else if !good(v) {
			at.Add("type_error", "has the wrong type", name)
			delete(field, name)
		}
	}
	if items, ok := field["items"].(map[string]any); ok && depth <= schemaDepth {
		schemaField(items, at.At("items"), depth+1)
	}
	if properties, ok := field["properties"].(map[string]any); ok {
		schemaFields(properties, at.At("properties"), depth+1)
	}
}

// uniqueKey checks the form of a unique key: scalar fields of the schema.
func uniqueKey(raw, schema map[string]any, at errs.Fields) map[string]any {
	if raw == nil {
		return nil
	}
	fields, ok := raw["fields"].([]any)
	if !ok || len(fields) == 0 {
		at.Add("list_type", "must be a list of at least one field", "fields")
		return nil
	}
	properties, _ := schema["properties"].(map[string]any)
	for i, f := range fields {
		name, ok := f.(string)
		field, known := properties[name].(map[string]any)
		if typ, _ := field["type"].(string); !ok || !known || slices.Contains([]string{"object", "array"}, typ) {
			at.Add("value_error", "must be a scalar field of bucket_schema", "fields", i)
		}
	}
	out := map[string]any{"fields": fields}
	switch policy := raw["default_policy"].(type) {
	case nil:
	case string:
		if !member(policy, "insert,update,upsert") {
			at.Add("enum", "must be insert, update or upsert", "default_policy")
		}
		out["default_policy"] = policy
	default:
		at.Add("string_type", "must be a string", "default_policy")
	}
	return out
}
