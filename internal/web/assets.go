package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"mooring/internal/errs"
	"mooring/internal/surface"
)

//go:embed assets
var assetFiles embed.FS

// assetHashes are the contents' hashes, by name: they stand in the addresses, so
// that browsers may keep an asset for ever and never have an old one.
var assetHashes = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		raw, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(raw)
		out[e.Name()] = hex.EncodeToString(sum[:8])
	}
	return out
})

// assetURL is where an asset is. A name that there is not breaks the page's test.
func assetURL(name string) string {
	hash, ok := assetHashes()[name]
	if !ok {
		panic("web: there is no asset " + name)
	}
	return "/assets/" + hash + "/" + name
}

var assetTypes = map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

func (s *server) asset(w http.ResponseWriter, r *http.Request) {
	a := surface.Of(w)
	a.Route, a.Quiet = "GET /assets/{hash}/{name}", true
	name := r.PathValue("name")
	kind := assetTypes[path.Ext(name)]
	raw, err := assetFiles.ReadFile("assets/" + name)
	if err != nil || kind == "" || strings.Contains(name, "/") || assetHashes()[name] != r.PathValue("hash") {
		s.fail(a, r, errs.New(errs.NotFound, "web.asset", "there is no such file"))
		return
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(raw)
	}
}
