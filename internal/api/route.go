package api

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"

	"mooring/internal/access"
	"mooring/internal/surface"
)

// none stands for a query, a body or an answer that a route does not have.
type none struct{}

// route is one operation of the API.
type route struct {
	method, path string // path as in OpenAPI, which is also ServeMux's form
	id           string // operationId
	tag, summary string
	need         access.Permission // "" for routes open to everybody
	namespace    bool              // works within the namespace that X-Namespace names
	creates      bool              // a provider's refusal is 400 rather than 502
	stream       bool              // writes its answer itself, as contentType
	contentType  string

	query, body, answer reflect.Type // reflect.TypeFor[none]() where there is none
	bodyOptional        bool
	serve               func(c *call) error
}

// option completes a route.
type option func(*route)

func inNamespace(r *route)  { r.namespace = true }
func creates(r *route)      { r.creates = true }
func optionalBody(r *route) { r.bodyOptional = true }

// op makes a route of a handler with a typed query, body and answer. An answer
// of type none is 204.
func op[Q, B, A any](method, path, id, summary string, need access.Permission, f func(*call, Q, B) (A, error), options ...option) route {
	r := route{
		method: method, path: path, id: id, summary: summary, need: need, contentType: jsonType,
		query: reflect.TypeFor[Q](), body: reflect.TypeFor[B](), answer: reflect.TypeFor[A](),
	}
	r.serve = func(c *call) error {
		var q Q
		var b B
		if err := c.decode(&q, &b); err != nil {
			return err
		}
		a, err := f(c, q, b)
		if err != nil {
			return err
		}
		if r.answer == reflect.TypeFor[none]() {
			c.w.WriteHeader(http.StatusNoContent)
			return nil
		}
		writeJSON(c.w, http.StatusOK, a)
		return nil
	}
	for _, o := range options {
		o(&r)
	}
	return r
}

// streams makes a route whose handler writes the answer itself.
func streams[Q any](path, id, summary, contentType string, need access.Permission, f func(*call, Q) error, options ...option) route {
	r := route{
		method: http.MethodGet, path: path, id: id, summary: summary, need: need, stream: true, contentType: contentType,
		query: reflect.TypeFor[Q](), body: reflect.TypeFor[none](), answer: reflect.TypeFor[none](),
	}
	r.serve = func(c *call) error {
		var q Q
		if err := c.decode(&q, &none{}); err != nil {
			return err
		}
		return f(c, q)
	}
	for _, o := range options {
		o(&r)
	}
	return r
}

// tagged puts routes under a heading of the documentation.
func tagged(tag string, list ...route) []route {
	for i := range list {
		list[i].tag = tag
	}
	return list
}

// mux finds routes. The standard router decides, by method too, so that a
// connection named list is found where POST …/list is another operation; but
// what it does not find is answered in the API's own form.
func (s *server) mux() http.Handler {
	mux := http.NewServeMux()
	for i := range s.routes {
		r := &s.routes[i]
		mux.HandleFunc(r.method+" "+r.path, func(w http.ResponseWriter, req *http.Request) { s.dispatch(w, req, r) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !clean(req.URL.EscapedPath()) { // the router would redirect
			s.fail(w, req, nil, errNoRoute)
			return
		}
		refusal, pattern := mux.Handler(req)
		if pattern != "" {
			mux.ServeHTTP(w, req)
			return
		}
		said := refused{header: http.Header{}}
		refusal.ServeHTTP(&said, req)
		if said.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", said.header.Get("Allow"))
			s.fail(w, req, nil, errMethod)
			return
		}
		s.fail(w, req, nil, errNoRoute)
	})
}

// refused hears how the router refuses a request.
type refused struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (r *refused) Header() http.Header { return r.header }

// Write implements http.ResponseWriter.
func (r *refused) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements http.ResponseWriter.
func (r *refused) WriteHeader(status int) { r.status = status }

// clean reports whether a path is its own canonical form.
func clean(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.Contains(path, "//") && !strings.Contains(path+"/", "/./") && !strings.Contains(path+"/", "/../")
}

func (s *server) dispatch(w http.ResponseWriter, req *http.Request, r *route) {
	a := surface.Of(w)
	a.Route, a.Quiet = r.method+" "+r.path, r.need == "" // probes
	c := &call{server: s, w: w, r: req, route: r}
	if !r.stream {
		ctx, cancel := context.WithTimeout(req.Context(), s.RequestTimeout)
		defer cancel()
		c.r = req.WithContext(ctx)
	}
	if err := c.run(); err != nil {
		s.fail(w, req, r, err)
	}
}

// run admits the request and serves it.
func (c *call) run() error {
	for _, name := range pathNames(c.route.path) {
		if v := c.r.PathValue(name); v == "" || !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return errNoRoute
		}
	}
	if c.route.need != "" {
		if err := c.admit(); err != nil {
			return err
		}
	}
	if err := c.route.serve(c); err != nil {
		return err
	}
	c.noteRead()
	return nil
}

// pathNames lists the parameters of a path.
func pathNames(path string) (names []string) {
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}
