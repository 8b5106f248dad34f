package web_test

import (
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/internal/access"
	"mooring/internal/api"
	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/id"
	"mooring/internal/sink/sinktest"
	"mooring/internal/web"
)

// TestPagesDoNotCollide: no page is where the API answers.
func TestPagesDoNotCollide(t *testing.T) {
	for _, p := range web.Pages() {
		if api.Owns(p.Path) {
			t.Errorf("%s is the API's", p.Path)
		}
	}
}

// TestEveryPage has every page asked for with every permission: what is not
// allowed is refused, all that is shown is bound by a policy, and nothing that is
// shown holds a stored secret. Pages of another organization are not there.
func TestEveryPage(t *testing.T) {
	w := newWorld(t)
	admin := w.signedIn(w.admin)
	path := admin.connect("a connection")
	kept := w.bucket("a bucket")
	synced := w.sync(kept, path)
	hook, signing := w.webhook()
	fill := strings.NewReplacer("{bucket}", string(kept.ID), "{connection}", path[len("/connections/"):], "{sync}", string(synced.ID), "{object}", string(w.object(synced)),
		"{webhook}", string(hook), "{provider}", "s3", "{token}", "x", "{session}", "x", "{$}", "")
	secrets := map[string]string{
		"plain": goodSecret, "base64": base64.StdEncoding.EncodeToString([]byte(goodSecret)), "half": goodSecret[:20],
		"of the webhook": signing.Reveal(), "the key": w.admin.Reveal(),
	}
	other := w.stranger()
	_, key := w.found("other@example.org")
	other.want(http.StatusSeeOther, "/sign-in", url.Values{"key": {key.Reveal()}})
	order := []access.Permission{access.Read, access.Write, access.Delete, access.Admin} // not what the code says of it
	for rank, held := range order {
		b := w.signedIn(w.key("a key to "+string(held), held))
		for _, p := range web.Pages() {
			at := fill.Replace(p.Path)
			allowed := p.Need == "" || rank >= slices.Index(order, p.Need)
			if strings.HasSuffix(at, "/events") && allowed {
				continue // it does not end; what it shows is a part of the page of the sync
			}
			if p.Method == http.MethodPost && allowed {
				continue // what they do is tested elsewhere
			}
			var form url.Values
			if p.Method == http.MethodPost {
				form = url.Values{}
			}
			got := b.send(at, form)
			if allowed == (got.status == http.StatusForbidden) {
				t.Errorf("%s %s with %s: %d", p.Method, at, held, got.status)
			}
			caching := "no-store"
			if strings.HasSuffix(at, "/content") {
				caching = "private, no-cache" // stored content, which is another's to show
				if !strings.HasPrefix(got.header.Get("Content-Security-Policy"), "sandbox;") {
					t.Errorf("%s is not in a sandbox: %v", at, got.header)
				}
			}
			if got.header.Get("Content-Security-Policy") == "" || got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("X-Frame-Options") != "DENY" || got.header.Get("Cache-Control") != caching {
				t.Errorf("%s: %v", at, got.header)
			}
			for form, text := range secrets {
				if strings.Contains(got.body, text) {
					t.Errorf("%s shows a stored secret (%s)", at, form)
				}
			}
			if strings.Contains(got.body, "style=") || strings.Contains(got.body, "<script>") || strings.Contains(got.body, "onclick") {
				t.Errorf("%s has something inline", at)
			}
			if p.Method == http.MethodGet && (strings.Contains(p.Path, "{connection}") || strings.Contains(p.Path, "{bucket}") || strings.Contains(p.Path, "{webhook}")) {
				if got := other.send(at, nil); got.status != http.StatusNotFound {
					t.Errorf("%s to another organization: %d", at, got.status)
				}
			}
			if p.Need != "" {
				if got := w.stranger().send(at, form); got.status != http.StatusSeeOther || !strings.HasPrefix(got.to(), "/sign-in") {
					t.Errorf("%s to a stranger: %d", at, got.status)
				}
			}
		}
	}
}

func TestScopesHoldInThePages(t *testing.T) {
	w := newWorld(t)
	admin := w.signedIn(w.admin)
	mine, theirs := admin.connect("mine"), admin.connect("theirs")
	b := w.signedIn(w.key("narrow", access.Admin, access.Scope{ResourceType: audit.StorageConnection, ResourceID: mine[len("/connections/"):]}))
	if list := b.want(http.StatusOK, "/connections", nil).body; !strings.Contains(list, mine) || strings.Contains(list, theirs) {
		t.Error("the list does not keep to the scopes")
	}
	b.want(http.StatusOK, mine, nil)
	for _, form := range []url.Values{nil, {}} {
		for _, at := range []string{theirs + "/edit", theirs + "/sync"} {
			b.want(http.StatusNotFound, at, form)
		}
	}
	b.want(http.StatusNotFound, theirs, nil)
	b.want(http.StatusNotFound, theirs+"/test", url.Values{})
	b.want(http.StatusForbidden, "/new-connection/s3", s3Form("another", goodAccess))
	b.want(http.StatusForbidden, mine+"/bucket", url.Values{"bucket_name": {"x"}})
	if strings.Contains(b.want(http.StatusOK, mine, nil).body, "Audit trail") {
		t.Error("the trail is shown to a key that may not read all of it")
	}
}

// TestNothingTypedIsLostButSecrets: what a form sent comes back, and no secret.
func TestNothingTypedIsLostButSecrets(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn(w.admin)
	form := s3Form("My <connection>", refusedAccess)
	form.Set("bucket", "reports")
	got := b.want(http.StatusBadRequest, "/new-connection/s3", form)
	for _, want := range []string{html.EscapeString("My <connection>"), refusedAccess, `value="reports"`, "Type this again", "InvalidAccessKeyId", "req-provider", "credentials.access_key_id"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the answer does not hold %s", want)
		}
	}
	if strings.Contains(got.body, goodSecret) || strings.Contains(w.log.String(), goodSecret) {
		t.Error("the secret comes back")
	}
	form.Set("name", "")
	form.Set("region", "not a region!")
	got = b.want(http.StatusUnprocessableEntity, "/new-connection/s3", form)
	for _, want := range []string{`href="#name"`, `href="#region"`, `aria-invalid="true"`} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the answer does not hold %s", want)
		}
	}
}

// TestPastedCredentials: what providers give whole is taken whole, in each form.
func TestPastedCredentials(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn(w.admin)
	for n, text := range []string{
		"[default]\naws_access_key_id = " + goodAccess + "\naws_secret_access_key = " + goodSecret + "\n",
		"export AWS_ACCESS_KEY_ID=" + goodAccess + "\nexport AWS_SECRET_ACCESS_KEY=\"" + goodSecret + "\"",
		`{"Credentials":{"AccessKeyId":"` + goodAccess + `","SecretAccessKey":"` + goodSecret + `","SessionToken":"abc","Expiration":"2030-01-01T00:00:00Z"}}`,
	} {
		form := url.Values{"kind": {"access_key"}, "name": {fmt.Sprint("pasted ", n)}, "region": {"eu-west-1"}, "paste": {text}}
		path, _, _ := strings.Cut(b.want(http.StatusSeeOther, "/new-connection/s3", form).to(), "?")
		if c := w.stored(path); c.Config.Credentials["access_key_id"] != goodAccess || len(c.Config.Secrets) == 0 {
			t.Errorf("%d is stored as %+v", n, c.Config)
		}
	}
	got := b.want(http.StatusUnprocessableEntity, "/new-connection/s3", url.Values{"kind": {"access_key"}, "name": {"x"}, "region": {"eu-west-1"}, "paste": {"hello " + goodSecret}})
	if strings.Contains(got.body, goodSecret) || !strings.Contains(got.body, `href="#paste"`) {
		t.Error("a bad block is not refused, or comes back")
	}
	key := `{"type":"service_account","project_id":"p-1","private_key_id":"k1","private_key":"-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n","client_email":"a@p-1.iam.gserviceaccount.com","client_id":"100","token_uri":"https://evil.example"}`
	b.want(http.StatusSeeOther, "/new-connection/google_drive", url.Values{"kind": {"service_account"}, "name": {"drive"}, "paste": {key}})
}

// TestEditKeepsSecrets: a secret that is left empty stays, a new one replaces it,
// and neither is shown.
func TestEditKeepsSecrets(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn(w.admin)
	path := b.connect("a")
	before := w.stored(path)
	form := s3Form("renamed", goodAccess)
	form.Set("credentials.secret_access_key", "")
	b.want(http.StatusSeeOther, path+"/edit", form)
	after := w.stored(path)
	if after.Name != "renamed" || after.CredentialsGeneration != before.CredentialsGeneration {
		t.Errorf("an edit without a secret gives %s, generation %d", after.Name, after.CredentialsGeneration)
	}
	form.Set("credentials.secret_access_key", "Z"+goodSecret[1:])
	b.want(http.StatusSeeOther, path+"/edit", form)
	if got := w.stored(path); got.CredentialsGeneration != before.CredentialsGeneration+1 {
		t.Errorf("a new secret gives generation %d", got.CredentialsGeneration)
	}
	page := b.want(http.StatusOK, path, nil).body
	if !strings.Contains(page, "rotated on") || strings.Contains(page, goodSecret[1:]) {
		t.Error("the page does not say when the secret was rotated, or shows it")
	}
	form.Set("credentials.access_key_id", refusedAccess)
	got := b.want(http.StatusBadRequest, path+"/edit", form)
	if w.stored(path).CredentialsGeneration != before.CredentialsGeneration+1 || !strings.Contains(got.body, "InvalidAccessKeyId") {
		t.Error("what failed its test was saved")
	}
}

// TestLifecycle: test, suspend, resume, archive, as a person does it.
func TestLifecycle(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn(w.admin)
	path := b.connect("a")
	if got := b.want(http.StatusOK, path+"/test", url.Values{}); !strings.Contains(got.body, "The test passed") {
		t.Error("a passed test is not told")
	}
	b.want(http.StatusSeeOther, path+"/suspend", url.Values{"reason": {"<i>quarter end"}})
	page := b.want(http.StatusOK, path, nil).body
	if !strings.Contains(page, "&lt;i&gt;quarter end") || !strings.Contains(page, "Test and resume") {
		t.Error("the page does not say why it is suspended and what to do")
	}
	b.want(http.StatusConflict, path+"/browse", nil)
	b.want(http.StatusSeeOther, path+"/resume", url.Values{})
	b.want(http.StatusUnprocessableEntity, path+"/archive", url.Values{"confirm": {"b"}})
	b.want(http.StatusSeeOther, path+"/archive", url.Values{"confirm": {"a"}})
	if w.stored(path).Status != connection.Archived {
		t.Error("it is not archived")
	}
	page = b.want(http.StatusOK, path, nil).body
	if strings.Contains(page, "Test now") || !strings.Contains(page, "destroyed") {
		t.Error("an archived connection is offered to be tested, or its end is not told")
	}
	got := b.want(http.StatusNoContent, b.connect("b")+"/suspend", url.Values{}, "HX-Request", "true")
	if !strings.HasPrefix(got.header.Get("HX-Redirect"), "/connections/") {
		t.Errorf("htmx is sent to %q", got.header.Get("HX-Redirect"))
	}
}

func TestBrowsePreviewAndSync(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn(w.admin)
	path := b.connect("a")
	page := b.want(http.StatusOK, path+"/browse", nil).body
	for _, want := range []string{"&lt;b&gt;media", "1.5 kB", "cursor=2", path + "/browse?path=media"} {
		if !strings.Contains(page, want) {
			t.Errorf("the listing does not hold %s", want)
		}
	}
	if got := b.want(http.StatusBadGateway, path+"/browse?path=gone", nil); !strings.Contains(got.body, "NoSuchBucket") || !strings.Contains(got.body, path+"/browse\"") {
		t.Error("a refusal is not told, or there is no way up")
	}
	to := b.want(http.StatusSeeOther, path+"/bucket", url.Values{"bucket_name": {"reports"}, "path": {"media"}}).to()
	form := b.want(http.StatusOK, to, nil).body
	if !strings.Contains(form, `value="media"`) || !strings.Contains(form, "selected>reports") {
		t.Errorf("the form does not go on with the bucket and path\n%s", form)
	}
	bkt, _ := url.Parse(to)
	ask := url.Values{"do": {"preview"}, "bucket": {bkt.Query().Get("bucket")}, "source_path": {"media"}, "delete_policy": {"delete"}, "max_delete_percent": {"20"}, "polling_interval_seconds": {"300"}, "file_filters.extensions": {"pdf, docx"}}
	page = b.want(http.StatusOK, path+"/sync", ask).body
	for _, want := range []string{"media/a", "1.5 kB", "the policy delete would apply", `value="pdf, docx"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the preview does not hold %q", want)
		}
	}
	ask.Set("do", "create")
	ask.Set("polling_interval_seconds", "1")
	if got := b.want(http.StatusUnprocessableEntity, path+"/sync", ask); !strings.Contains(got.body, `href="#polling_interval_seconds"`) {
		t.Error("a bad interval is not led to")
	}
	ask.Set("polling_interval_seconds", "60")
	made := b.want(http.StatusSeeOther, path+"/sync", ask).to()
	if page = b.want(http.StatusOK, made, nil).body; !strings.Contains(page, "A run begins as soon as") || !strings.Contains(page, "data-live") {
		t.Error("the page of a new sync does not wait for its first run")
	}
	if page = b.want(http.StatusOK, path, nil).body; !strings.Contains(page, "Waiting for its first run") {
		t.Error("the sync is not shown")
	}
	b.want(http.StatusConflict, path+"/sync", ask) // the same path again
}

// TestTenThousandConnections: a page of many stays small, and is found by its name.
func TestTenThousandConnections(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn(w.admin)
	template := w.stored(b.connect("the first"))
	for n := range 1000 { // ten thousand take a minute to insert; what the page asks the store for is the same
		c := template
		c.ID, c.Name, c.Revision = id.NewConnection(), fmt.Sprintf("%s %04d", strings.Repeat("ö", 90), n), 0
		c.CreatedAt = c.CreatedAt.Add(time.Duration(n) * time.Second)
		if _, err := w.store.Connections().Insert(t.Context(), c.Org, c); err != nil {
			t.Fatal(err)
		}
	}
	page := b.want(http.StatusOK, "/connections", nil).body
	if n := len(page); n > 300_000 {
		t.Errorf("the page has %d bytes", n)
	}
	if !strings.Contains(page, "1\u202f001 connections") || !strings.Contains(page, "Next page") {
		t.Error("the page does not say how many there are, or does not go on")
	}
	found := b.want(http.StatusOK, "/connections?q=THE+FIRST", nil).body
	if strings.Count(found, "<td role=\"cell\"><a href=\"/connections/conn_") != 1 {
		t.Error("the one that was looked for is not alone")
	}
}

// TestDestinationsAreChosen: where there are several, a bucket picks one, and its
// page says which; where there is one, nobody is asked.
func TestDestinationsAreChosen(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn(w.admin)
	path := b.connect("a")
	for _, at := range []string{"/buckets", path + "/sync"} {
		if strings.Contains(b.want(http.StatusOK, at, nil).body, `name="destination"`) {
			t.Errorf("%s asks for the only destination", at)
		}
	}
	w.server.Buckets.Destinations["archive"] = sinktest.NewMemory()
	for at, action := range map[string]string{"/buckets": "/buckets", path + "/sync": path + "/bucket"} {
		if form := b.want(http.StatusOK, at, nil).body; !strings.Contains(form, `<option value="default" selected>`) || !strings.Contains(form, `<option value="archive">`) {
			t.Errorf("%s does not offer the destinations\n%s", at, form)
		}
		for _, destination := range []string{"archive", "default"} {
			name := destination + strings.ReplaceAll(action, "/", "-")
			b.want(http.StatusSeeOther, action, url.Values{"bucket_name": {name}, "destination": {destination}})
			made, err := w.store.Buckets().ByName(t.Context(), w.org.Organization.ID, w.org.Namespace.ID, name)
			if err != nil || made.Destination != destination {
				t.Errorf("%s makes %+v, %v", action, made, err)
			}
			if page := b.want(http.StatusOK, "/buckets/"+string(made.ID), nil).body; !strings.Contains(page, "in the destination "+destination) {
				t.Errorf("the page does not say that it is in %s", destination)
			}
		}
		if got := b.want(http.StatusUnprocessableEntity, action, url.Values{"bucket_name": {"x"}, "destination": {"elsewhere"}}); !strings.Contains(got.body, `href="#destination"`) {
			t.Errorf("%s does not lead to what is wrong", action)
		}
	}
}
