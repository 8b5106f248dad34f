package web

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"

	"mooring/internal/access"
)

//go:embed templates/*.html
var templateFiles embed.FS

// frame is what templates/layout.html shows around a page's own block "main",
// which finds its data in .Data.
type frame struct {
	Title   string
	Section string   // of the navigation, "" for none
	Problem *problem // what is wrong with what was asked, for the block #problem
	Notice  string   // what was done
	Data    any

	v *visit
}

// SignedIn reports whether the visitor is known.
func (f frame) SignedIn() bool { return f.v != nil && f.v.who.Org != "" }

// Key is the name of the key that the visitor signed in with.
func (f frame) Key() string { return f.v.who.Key.Name }

// Can reports whether the visitor has a permission, so that a page offers
// nothing that would be refused. Scopes are asked where something is done.
func (f frame) Can(need string) bool { return f.SignedIn() && f.v.who.Allows(access.Permission(need)) }

// notices are what pages say after something was done, by the name in the query.
var notices = map[string]string{
	"signed-out": "You are signed out.",
	"created":    "The connection works and is saved.",
	"saved":      "The changes are saved.",
	"suspended":  "The connection is suspended: nothing uses it until it is resumed.",
	"resumed":    "The test passed and the connection is active again.",
	"archived":   "The connection is archived.",
	"ended":      "The session is ended.",

	"sync-created": "The sync is made and starts as soon as a worker is free.",

	"triggered":        "A run begins as soon as a worker is free.",
	"paused":           "The sync is paused.",
	"goes-on":          "The sync goes on.",
	"verifying":        "Every file is hashed anew as soon as a worker is free: see the runs.",
	"sync-ended":       "The sync is ended. What it brought is still here.",
	"retrying":         "The dead letters are tried again with the next run, which begins now.",
	"purged":           "The dead letters are forgotten.",
	"bucket-made":      "The bucket is made.",
	"bucket-deleted":   "The bucket is being deleted.",
	"object-removed":   "The object is removed.",
	"revoked":          "The key is revoked.",
	"webhook-enabled":  "The webhook is enabled.",
	"webhook-disabled": "The webhook is disabled.",
	"webhook-ended":    "The webhook is ended.",
	"redelivering":     "The deliveries are sent again now.",
	"namespace-made":   "The namespace is made.",
	"user-made":        "The user is added, and can be given keys.",
}

// templates are the pages, each a copy of the layout with the page's blocks.
var templates = sync.OnceValue(func() map[string]*template.Template {
	base := template.Must(template.New("layout.html").Funcs(functions).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	out := map[string]*template.Template{}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		if short := path.Base(name); short != "layout.html" && short != "parts.html" {
			out[short] = template.Must(template.Must(base.Clone()).ParseFS(templateFiles, name))
		}
	}
	return out
})

// show answers with a page: templates/NAME within the layout.
func (v *visit) show(status int, name string, f frame) error {
	f.v = v
	if f.Notice == "" {
		f.Notice = notices[v.r.URL.Query().Get("done")]
	}
	return v.write(status, name, "layout.html", f)
}

func (v *visit) write(status int, name, block string, data any) error {
	out, err := markup(name, block, data)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		_, _ = v.w.Write(out) // a client that has gone is no error
	}
	return nil
}

// markup renders a block, whole or not at all.
func markup(name, block string, data any) ([]byte, error) {
	var out bytes.Buffer
	if err := templates()[name].ExecuteTemplate(&out, block, data); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

var functions = template.FuncMap{
	"asset": assetURL, "when": when, "stamp": stamp, "ago": ago, "bytes": bytesText, "count": countText, "lower": strings.ToLower, "dict": dict,
	"provider": providerTitle, "sections": sections,
	"connection": connectionURL, "sign": connectionSign, "syncsign": syncSign, "failed": failed, "changes": changesText,
	"list": list, "syncurl": syncURL, "runsign": runSign, "bucketurl": bucketURL, "objecturl": objectURL, "objectsign": objectSign,
	"keysign": keySign, "keyaction": keyAction, "webhookurl": webhookURL, "webhooksign": webhookSign,
}

// list makes a list of values.
func list(values ...any) []any { return values }

// dict makes a map of names and values, for templates that take several.
func dict(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		m[name] = pairs[i+1]
	}
	return m
}
