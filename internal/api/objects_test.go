package api_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/id"
)

func TestBuckets(t *testing.T) {
	w := newWorld(t)
	made := w.as(200, "POST", "/v1/buckets", object{
		"bucket_name": "media", "description": "d", "metadata": object{"k": 1},
		"bucket_schema": object{"properties": object{
			"content": object{"type": "VIDEO", "required": false, "default": nil}, "tags": object{"type": "array", "items": object{"type": "string"}}, "author": object{"type": "string"}}},
		"unique_key": object{"fields": []string{"author"}, "default_policy": "upsert"},
	})
	b := made.text("bucket_id")
	if made.text("bucket_schema", "properties", "content", "type") != "video" || made.text("unique_key", "fields", 0) != "author" || !strings.HasPrefix(made.text("created_by_user_id"), "usr_") {
		t.Errorf("made: %s", made.raw)
	}
	w.as(409, "POST", "/v1/buckets", object{"name": "media"})
	for name, bad := range map[string]object{
		"no name":          {"bucket_schema": object{"properties": object{}}},
		"a field's type":   {"name": "x", "bucket_schema": object{"properties": object{"a": object{"type": "floppy"}}}},
		"no type":          {"name": "x", "bucket_schema": object{"properties": object{"a": object{}}}},
		"a nested type":    {"name": "x", "bucket_schema": object{"properties": object{"a": object{"type": "object", "properties": object{"b": object{"type": 1}}}}}},
		"properties":       {"name": "x", "bucket_schema": object{"properties": []int{}}},
		"required":         {"name": "x", "bucket_schema": object{"properties": object{"a": object{"type": "string", "required": "yes"}}}},
		"unknown key":      {"name": "x", "unique_key": object{"fields": []string{"a"}}},
		"no destination":   {"name": "x", "destination": "nowhere"},
		"name like an id":  {"name": "bkt_x"},
		"long description": {"name": "x", "description": strings.Repeat("x", 501)},
	} {
		if got := w.send(w.admin, "POST", "/v1/buckets", bad); got.status != 422 {
			t.Errorf("%s: %d %s", name, got.status, got.raw)
		}
	}
	if got := w.as(200, "GET", "/v1/buckets/media", nil); got.text("bucket_id") != b {
		t.Error("not found by name")
	}
	w.bucket("second")
	if got := w.as(200, "POST", "/v1/buckets/list", object{"limit": 1}); got.number("total_count") != 2 || got.text("results", 0, "bucket_name") != "second" || got.text("pagination", "next_cursor") == "" {
		t.Errorf("list: %s", got.raw)
	}
	for _, filters := range []object{{"bucket_name": "media"}, {"bucket_id": b, "case_sensitive": false}, {"AND": []object{{"field": "bucket_name", "operator": "eq", "value": "media", "case_sensitive": false}}}} {
		if got := w.as(200, "POST", "/v1/buckets/list", object{"filters": filters}); got.number("total_count") != 1 || got.text("results", 0, "bucket_id") != b {
			t.Errorf("%v: %s", filters, got.raw)
		}
	}
	if got := w.as(200, "POST", "/v1/buckets/list", object{"search": "MED"}); got.number("total_count") != 1 {
		t.Errorf("search: %s", got.raw)
	}
	w.as(400, "POST", "/v1/buckets/list", object{"filters": object{"color": "red"}})
	w.as(400, "POST", "/v1/buckets/list", object{"sort": object{"field": "bucket_name"}})
}

func TestBucketIsDeletedAndItsTaskFollowed(t *testing.T) {
	w := newWorld(t)
	b := w.bucket("b")
	sy := w.sync(b, w.connect("c"), "media")
	got := w.as(200, "DELETE", "/v1/buckets/"+b, nil)
	task := "/v1/tasks/" + got.text("task_id")
	if got.text("status") != "PENDING" || w.as(200, "GET", task, nil).text("status") != "PENDING" {
		t.Errorf("delete: %s", got.raw)
	}
	w.as(409, "DELETE", "/v1/buckets/"+b, nil)
	w.as(409, "POST", "/v1/buckets/"+b+"/syncs", object{"connection_id": "conn_x", "source_path": "x"})
	w.as(404, "GET", "/v1/buckets/"+b+"/syncs/"+sy, nil)
	if err := w.buckets.Remove(t.Context(), w.org.Organization.ID, id.Bucket(b)); err != nil {
		t.Fatal(err)
	}
	if got := w.as(200, "GET", task, nil); got.text("status") != "COMPLETED" || got.text("task_type") != "api_buckets_delete" {
		t.Errorf("task: %s", got.raw)
	}
	w.as(404, "GET", "/v1/buckets/"+b, nil)
	w.as(404, "GET", "/v1/tasks/"+strings.Replace(w.bucket("alive"), "bkt_", "task_", 1), nil)
	w.as(404, "GET", "/v1/tasks/other", nil)
}

// shelf is a bucket with three objects.
func (w *world) shelf() (b string, ids []string) {
	b = w.bucket("shelf")
	conn := w.connect("c")
	sy := w.sync(b, conn, "media")
	for i, name := range []string{"media/a.txt", "media/b.pdf", "other/c.txt"} {
		ids = append(ids, w.put(b, conn, sy, name, strings.Repeat("x", 5*(i+1)), func(o *bucket.Object) {
			o.CreatedAt = time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC)
			o.Fields = map[string]any{"category": "sports", "nan": math.NaN(), "when": o.CreatedAt, "object_id": "spoofed", "deep": map[string]any{"l": []any{1, "x"}}}
			if i == 1 {
				o.MIME, o.DuplicateOf, o.SHA256 = "application/pdf", "obj_first", strings.Repeat("cd", 32)
				o.Blobs = []bucket.Blob{{Property: "file", Type: "pdf", MIME: "application/pdf"}, {Property: "home", Type: "text", URL: "https://example.org/"}}
			}
		}))
	}
	return b, ids
}

func TestObjectShowsMappedFieldsBesideItsOwn(t *testing.T) {
	w := newWorld(t)
	b, ids := w.shelf()
	got := w.as(200, "GET", "/v1/buckets/"+b+"/objects/"+ids[1]+"?return_presigned_urls=true", nil)
	if got.text("object_id") != ids[1] || got.text("category") != "sports" || got.text("when") != "2026-01-02T00:00:00.000Z" || got.at("nan") != nil || got.text("deep", "l", 1) != "x" {
		t.Errorf("fields: %s", got.raw)
	}
	if got.text("source_object_id") != "media/b.pdf" || got.text("content_hash") != "sha256:"+strings.Repeat("cd", 32) || got.text("duplicate_of") != "obj_first" ||
		got.text("source_provider") != "s3" || got.text("verification") == "" || got.number("size_bytes") != 10 || got.text("key_prefix") != "media" {
		t.Errorf("lineage: %s", got.raw)
	}
	if got.text("blobs", 0, "details", "filename") != "b.pdf" || got.text("blobs", 0, "type") != "pdf" || got.text("blobs", 1, "properties", "url") != "https://example.org/" {
		t.Errorf("blobs: %s", got.raw)
	}
	if r := w.as(200, "GET", got.text("blobs", 0, "properties", "url"), nil); string(r.raw) != strings.Repeat("x", 10) {
		t.Errorf("the blob's url does not lead to it: %s", r.raw)
	}
	w.as(404, "GET", "/v1/buckets/"+b+"/objects/obj_none", nil)
	if got := w.as(204, "DELETE", "/v1/buckets/"+b+"/objects/"+ids[1], nil); len(got.raw) != 0 {
		t.Errorf("a 204 with a body: %s", got.raw)
	}
	for _, path := range []string{"", "/content"} {
		w.as(404, "GET", "/v1/buckets/"+b+"/objects/"+ids[1]+path, nil)
	}
	w.as(404, "DELETE", "/v1/buckets/"+b+"/objects/"+ids[1], nil)
	if got := w.as(200, "POST", "/v1/buckets/"+b+"/objects/list", nil); len(got.results()) != 2 {
		t.Errorf("a removed object is listed: %s", got.raw)
	}
}

func TestObjectLists(t *testing.T) {
	w := newWorld(t)
	b, ids := w.shelf()
	list := "/v1/buckets/" + b + "/objects/list"
	names := func(r reply) (out string) {
		for i := range r.results() {
			out += strings.TrimSuffix(r.text("results", i, "source_path"), "x")[strings.LastIndex(r.text("results", i, "source_path"), "/")+1:][:1]
		}
		return out
	}
	cond := func(field, op string, v any) object {
		return object{"field": field, "operator": op, "value": v, "case_sensitive": false}
	}
	for name, c := range map[string]struct {
		body object
		want string
	}{
		"newest first":  {object{}, "cba"},
		"by path":       {object{"sort": object{"field": "source_path"}}, "abc"},
		"by size":       {object{"sort": object{"field": "size_bytes", "direction": "DESC"}}, "cba"},
		"shorthand":     {object{"filters": object{"mime_type": "application/pdf", "case_sensitive": false}}, "b"},
		"condition":     {object{"filters": cond("size_bytes", "gte", 10)}, "cb"},
		"and":           {object{"filters": object{"AND": []any{cond("size_bytes", "gt", 5), cond("size", "lt", 15)}, "OR": nil, "NOT": []any{}}}, "b"},
		"prefix":        {object{"filters": object{"AND": []any{cond("source_path", "starts_with", "media/")}}}, "ba"},
		"in":            {object{"filters": cond("mime_type", "in", []string{"text/plain", "x/y"})}, "ca"},
		"short in":      {object{"filters": object{"source_path": []string{"media/a.txt"}}}, "a"},
		"hash as shown": {object{"filters": object{"content_hash": "sha256:" + strings.Repeat("cd", 32)}}, "b"},
		"time":          {object{"filters": cond("created_at", "lte", "2026-01-02T00:00:00Z")}, "ba"},
		"search":        {object{"search": "OTHER"}, "c"},
		"page size":     {object{"page_size": 1}, "c"},
		"limit":         {object{"limit": 2, "page_size": 1}, "cb"},
		"offset":        {object{"offset": 2}, "a"},
		"none":          {object{"filters": object{"status": "CANCELED"}}, ""},
	} {
		if got := w.as(200, "POST", list, c.body); names(got) != c.want {
			t.Errorf("%s: %q, want %q: %s", name, names(got), c.want, got.raw)
		}
	}
	for name, filters := range map[string]any{
		"or": object{"OR": []any{cond("size", "eq", 1)}}, "not": object{"NOT": []any{cond("size", "eq", 1)}}, "regex": cond("source_path", "regex", "x"),
		"unknown field": object{"color": "red"}, "nested value": object{"size": object{"a": 1}}, "and of text": object{"AND": "x"}, "null value": object{"size": nil},
		"in without a list": cond("size", "in", 1), "eq with a list": cond("size", "eq", []int{1}), "wrong type": object{"size": "big"}, "number too large": object{"size": json.Number("99999999999999999999")},
	} {
		if got := w.as(400, "POST", list, object{"filters": filters}); !strings.Contains(got.text("error", "message"), "eq") && !strings.Contains(got.text("error", "message"), "equality") {
			t.Errorf("%s: the refusal does not say what works: %s", name, got.raw)
		}
	}
	w.as(400, "POST", list, object{"sort": object{"field": "color"}})
	w.as(422, "POST", list, object{"sort": object{"field": "size", "direction": "up"}})
	selected := w.as(200, "POST", list, object{"select": []string{"category", "source_path"}})
	if item, _ := selected.at("results", 0).(object); len(item) != 4 || item["category"] != "sports" || item["bucket_id"] != b {
		t.Errorf("select: %s", selected.raw)
	}
	first := w.as(200, "POST", list+"?limit=2", nil)
	if second := w.as(200, "POST", list+"?limit=2&cursor="+first.text("pagination", "next_cursor"), nil); names(second) != "a" {
		t.Errorf("second page: %s", second.raw)
	}
	_ = ids
}

func TestContentIsADownload(t *testing.T) {
	w := newWorld(t)
	b, conn := w.bucket("b"), w.connect("c")
	sy := w.sync(b, conn, "m")
	path := "/v1/buckets/" + b + "/objects/" + w.put(b, conn, sy, "m/ü \"x\".html", "0123456789", func(o *bucket.Object) { o.MIME = "text/html\r\nSet-Cookie: a=b" }) + "/content"
	etag := `"` + strings.Repeat("ab", 32) + `"`
	whole := w.as(200, "GET", path, nil)
	if string(whole.raw) != "0123456789" || whole.header.Get("Content-Length") != "10" || whole.header.Get("ETag") != etag {
		t.Errorf("whole: %q %v", whole.raw, whole.header)
	}
	if d := whole.header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment") || strings.ContainsAny(d, "\r\n\"") {
		t.Errorf("disposition: %q", d)
	}
	if !strings.Contains(whole.header.Get("Content-Security-Policy"), "sandbox") || whole.header.Get("X-Content-Type-Options") != "nosniff" || whole.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("headers: %v", whole.header)
	}
	for spec, want := range map[string]struct {
		status int
		body   string
		rng    string
	}{
		"bytes=4-":      {206, "456789", "bytes 4-9/10"},
		"bytes=0-3":     {206, "0123", "bytes 0-3/10"},
		"bytes=8-99":    {206, "89", "bytes 8-9/10"},
		"bytes=-3":      {206, "789", "bytes 7-9/10"},
		"bytes=-99":     {206, "0123456789", "bytes 0-9/10"},
		"bytes=0-1,4-5": {200, "0123456789", ""},
		"bytes=3-1":     {200, "0123456789", ""},
		"lines=1-2":     {200, "0123456789", ""},
		"bytes=x-":      {200, "0123456789", ""},
	} {
		got := w.send(w.admin, "GET", path, nil, "Range", spec)
		if got.status != want.status || string(got.raw) != want.body || got.header.Get("Content-Range") != want.rng {
			t.Errorf("%s: %d %q %q", spec, got.status, got.raw, got.header.Get("Content-Range"))
		}
	}
	for _, beyond := range []string{"bytes=10-", "bytes=-0"} {
		if got := w.send(w.admin, "GET", path, nil, "Range", beyond); got.status != 416 || got.header.Get("Content-Range") != "bytes */10" {
			t.Errorf("%s: %d %v", beyond, got.status, got.header)
		}
	}
	if got := w.send(w.admin, "GET", path, nil, "If-None-Match", `"other", W/`+etag); got.status != 304 || len(got.raw) != 0 {
		t.Errorf("304: %d", got.status)
	}
	if got := w.send(w.admin, "GET", path, nil, "Range", "bytes=4-", "If-Range", `"other"`); got.status != 200 {
		t.Errorf("If-Range of another version: %d", got.status)
	}
	if got := w.send(w.admin, "HEAD", path, nil); got.status != 200 || got.header.Get("Content-Length") != "10" {
		t.Errorf("HEAD: %d", got.status)
	}
	gone := w.put(b, conn, sy, "m/gone", "x", func(o *bucket.Object) { o.State = bucket.Tombstoned })
	w.as(200, "GET", "/v1/buckets/"+b+"/objects/"+gone, nil)
	if got := w.as(404, "GET", "/v1/buckets/"+b+"/objects/"+gone+"/content", nil); got.header.Get("ETag") != "" {
		t.Error("an error has the content's ETag")
	}
	short := w.put(b, conn, sy, "m/short", "x", func(o *bucket.Object) { o.Size = 9 })
	defer func() {
		if recover() == nil {
			t.Error("content that is too short ends as if it were whole")
		}
	}()
	w.send(w.admin, "GET", "/v1/buckets/"+b+"/objects/"+short+"/content", nil)
}
