package msgraph_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"mooring/emulator/msgraph"
)

const (
	tenant = "7d1f3a52-0000-4000-8000-000000000001"
	app    = "client-1"
	secret = "s3cret~value"
	host   = "contoso.sharepoint.com"
)

// world is a server with an app, a site and its default library.
type world struct {
	*testing.T
	s           *msgraph.Server
	site, drive string
	root        string
	bearer      string
}

func newWorld(t *testing.T, opts ...msgraph.Options) *world {
	t.Helper()
	s := msgraph.Start(t, opts...)
	s.App(tenant, app, secret)
	w := &world{T: t, s: s, site: s.Site(tenant, host, "/teams/x")}
	w.drive = s.Drive(w.site)
	w.root = s.Root(w.drive)
	w.bearer = s.AccessToken(tenant, app)
	return w
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (w *world) do(method, url string, body io.Reader, header ...string) reply {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, url, body)
	if err != nil {
		w.Fatal(err)
	}
	if w.bearer != "" && !strings.Contains(url, "/_layouts/") {
		req.Header.Set("Authorization", "Bearer "+w.bearer)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	r := reply{status: resp.StatusCode, header: resp.Header, text: string(text)}
	_ = json.Unmarshal(text, &r.body)
	return r
}

// get asks for a path below the API, or for a URL.
func (w *world) get(path string, header ...string) reply {
	w.Helper()
	if strings.HasPrefix(path, "/") {
		path = w.s.API() + path
	}
	return w.do(http.MethodGet, path, nil, header...)
}

// want is get for an answer whose status is known.
func (w *world) want(status int, path string, header ...string) reply {
	w.Helper()
	r := w.get(path, header...)
	if r.status != status {
		w.Fatalf("%s: %d %s, want %d", path, r.status, r.text, status)
	}
	return r
}

// post asks the token endpoint; the form is name, value, name, value.
func (w *world) post(tenant string, form ...string) reply {
	w.Helper()
	return w.do(http.MethodPost, w.s.LoginURL()+"/"+tenant+"/oauth2/v2.0/token", formBody(form...),
		"Content-Type", "application/x-www-form-urlencoded")
}

func formBody(form ...string) io.Reader {
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	return strings.NewReader(values.Encode())
}

// try reads a URL that may break, on a connection of its own.
func (w *world) try(url string) (string, error) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, url, nil)
	if err != nil {
		w.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// str digs a string out of an answer; missing ones are empty.
func (r reply) str(path ...string) string {
	s, _ := dig(r.body, path...).(string)
	return s
}

func dig(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// values are the entries of a page.
func (r reply) values() []map[string]any {
	var out []map[string]any
	list, _ := r.body["value"].([]any)
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}

// delta follows nextLinks to the end and returns all entries and the deltaLink.
func (w *world) delta(link string) ([]map[string]any, string) {
	w.Helper()
	var all []map[string]any
	for range 10_000 {
		r := w.want(http.StatusOK, link)
		all = append(all, r.values()...)
		if end := r.str("@odata.deltaLink"); end != "" {
			return all, end
		}
		if link = r.str("@odata.nextLink"); link == "" {
			w.Fatalf("a page with neither link: %s", r.text)
		}
	}
	w.Fatal("the delta does not end")
	return nil, ""
}

// latest gives the last version of each entry, by id.
func latest(entries []map[string]any) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, e := range entries {
		out[e["id"].(string)] = e
	}
	return out
}
