package api

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"mooring/internal/access"
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

// mux finds routes. Methods are told apart here rather than in the patterns, so
// that an unknown one is answered in the API's own form.
func (s *server) mux() http.Handler {
	byPath := map[string]map[string]*route{}
	for i := range s.routes {
		r := &s.routes[i]
		if byPath[r.path] == nil {
			byPath[r.path] = map[string]*route{}
		}
		byPath[r.path][r.method] = r
	}
	mux := http.NewServeMux()
	for path, methods := range byPath {
		mux.HandleFunc(path, func(w http.ResponseWriter, req *http.Request) { s.dispatch(w, req, methods) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) { s.fail(w, req, nil, errNoRoute) })
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !clean(req.URL.EscapedPath()) { // the mux would redirect
			s.fail(w, req, nil, errNoRoute)
			return
		}
		mux.ServeHTTP(w, req)
	})
}

// clean reports whether a path is its own canonical form.
func clean(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.Contains(path, "//") && !strings.Contains(path+"/", "/./") && !strings.Contains(path+"/", "/../")
}

func (s *server) dispatch(w http.ResponseWriter, req *http.Request, methods map[string]*route) {
	method := req.Method
	if r := methods[http.MethodGet]; method == http.MethodHead && r != nil {
		method = http.MethodGet
	}
	r := methods[method]
	if r == nil {
		allowed := make([]string, 0, len(methods)+1)
		for m := range methods {
			allowed = append(allowed, m)
		}
		if methods[http.MethodGet] != nil {
			allowed = append(allowed, http.MethodHead)
		}
		slices.Sort(allowed)
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		s.fail(w, req, nil, errMethod)
		return
	}
	noteRoute(w, r)
	c := &call{server: s, w: w, r: req, route: r}
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
