package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"mooring/emulator/gdrive"
	"mooring/emulator/msgraph"
	"mooring/internal/secret"
)

// both are the providers, with how the stored credentials must look.
var both = map[string]struct{ credential, client, id string }{
	"google_drive": {"oauth", "google", "google-client-id"},
	"sharepoint":   {"delegated", "ms", "graph-client-id"},
}

func TestConnectByConsent(t *testing.T) {
	for provider, want := range both {
		t.Run(provider, func(t *testing.T) {
			w := newConsenting(t)
			link := w.authorize(provider, object{"name": "team files", "description": "ours", "metadata": object{"k": "v"}})
			if !strings.HasPrefix(link, w.url+"/connect/") {
				t.Fatalf("the link is %s", link)
			}
			b := w.browser()
			for range 2 { // looking at it uses nothing up
				b.want(200, "GET", link, "an organization", "team files", want.client)
			}
			w.restart()
			at := b.confirm(link)
			w.restart() // a flow survives
			back := b.consent(at)
			w.restart()
			b.want(200, "GET", back, "Connected", "team files")
			got := w.as(200, "GET", "/v1/organizations/connections/team%20files", nil)
			creds, _ := got.at("provider_config", "credentials").(map[string]any)
			if got.text("status") != "ACTIVE" || got.text("description") != "ours" || creds["type"] != want.credential || creds["oauth_client"] != want.client ||
				creds["client_id"] != want.id || creds["client_secret"] != secret.Marker || creds["refresh_token"] != secret.Marker {
				t.Errorf("the connection is %s", got.raw)
			}
			for range 3 { // each with the refresh token that replaced the one before
				w.google.ExpireAccessTokens()
				w.graph.ExpireAccessTokens()
				if test := w.as(200, "POST", "/v1/organizations/connections/team%20files/test", nil); test.at("success") != true {
					t.Errorf("the test: %s", test.raw)
				}
				w.restart()
			}
			trail := w.as(200, "GET", "/v1/organizations/audit/logs?action=storage_connection_created", nil).results()
			if len(trail) != 1 || trail[0].(map[string]any)["ip_address"] == "" {
				t.Errorf("the trail holds %v", trail)
			}
			if issued := w.as(200, "GET", "/v1/organizations/audit/logs?action=storage_connection_updated", nil).results(); len(issued) != 1 {
				t.Errorf("of the link the trail holds %v", issued)
			}
		})
	}
}

func TestConsentPage(t *testing.T) {
	w := newConsenting(t)
	link := w.authorize("google_drive", object{"name": "<script>alert(1)</script>"})
	b := w.browser()
	got := b.want(200, "GET", link, "&lt;script&gt;")
	csp := got.header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "form-action 'self' "+w.google.URL+";") ||
		strings.Contains(csp, "unsafe") || strings.Contains(csp, "script-src") {
		t.Errorf("the policy is %s", csp)
	}
	if strings.Contains(got.text, "<script") || strings.Contains(got.text, "src=") || strings.Contains(got.text, "href=") || len(got.cookies) > 0 {
		t.Errorf("the page:\n%s", got.text)
	}
	sent := b.want(303, "POST", link)
	if len(sent.cookies) != 1 {
		t.Fatalf("cookies %v", sent.cookies)
	}
	c := sent.cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/connect" || c.Secure {
		t.Errorf("the cookie is %v", c)
	}
	for _, part := range []string{"code_challenge_method=S256", "code_challenge=", "state=", "access_type=offline", "drive.readonly"} {
		if !strings.Contains(sent.location, part) {
			t.Errorf("%s is not in %s", part, sent.location)
		}
	}
	w.deps.PublicURL = "https://mooring.example.org/base"
	w.restart()
	secured := w.browser().do("POST", w.url+strings.TrimPrefix(w.authorize("google_drive", object{"name": "n"}), w.deps.PublicURL))
	if c := secured.cookies[0]; !c.Secure || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") {
		t.Errorf("behind TLS the cookie is %v", c)
	}
}

// TestAttacks: each ends on a page that says why, and nothing is created.
func TestAttacks(t *testing.T) {
	for name, attack := range map[string]func(w *consenting, victim *browser){
		"an unknown link": func(w *consenting, v *browser) {
			v.want(404, "GET", w.url+"/connect/abc-def-ghi", "not known")
			v.want(404, "POST", w.url+"/connect/x", "not known")
		},
		"a link of which a letter differs": func(w *consenting, v *browser) {
			link := w.authorize("google_drive", object{"name": "n"})
			last := "a"
			if strings.HasSuffix(link, "a") {
				last = "b"
			}
			v.want(404, "POST", link[:len(link)-1]+last, "not known")
		},
		"a link is used twice": func(w *consenting, v *browser) {
			link := w.authorize("google_drive", object{"name": "n"})
			v.confirm(link)
			v.want(409, "GET", link, "used already")
			w.browser().want(409, "POST", link, "used already")
		},
		"a link is used too late": func(w *consenting, v *browser) {
			link := w.authorize("google_drive", object{"name": "n"})
			w.late = 10*time.Minute + time.Second
			v.want(404, "GET", link, "ten minutes")
			v.want(404, "POST", link, "ten minutes")
		},
		"the browser comes back too late": func(w *consenting, v *browser) {
			back := v.consent(v.confirm(w.authorize("google_drive", object{"name": "n"})))
			w.late = 10*time.Minute + time.Second
			v.want(404, "GET", back, "ten minutes")
		},
		"another site posts the form": func(w *consenting, v *browser) {
			link := w.authorize("google_drive", object{"name": "n"})
			w.check(v.do("POST", link, "Sec-Fetch-Site", "cross-site"), 403, "another site")
			w.check(v.do("POST", link, "Origin", "https://evil.example"), 403, "another site")
			w.check(v.do("POST", link, "Sec-Fetch-Site", "same-site"), 403, "another site")
			v.want(200, "GET", link) // which did not use it up
		},
		"an attacker's consent page in a victim's browser": func(w *consenting, v *browser) {
			at := w.browser().confirm(w.authorize("google_drive", object{"name": "n"}))
			v.want(403, "GET", v.consent(at), "not begun in this browser")
		},
		"another flow's cookie": func(w *consenting, v *browser) {
			at := w.browser().confirm(w.authorize("google_drive", object{"name": "n"}))
			v.confirm(w.authorize("google_drive", object{"name": "m"}))
			v.want(403, "GET", v.consent(at), "not begun in this browser")
		},
		"another organization's flow": func(w *consenting, v *browser) {
			_, key := w.found("eve@example.org")
			link := w.with(key, 200, "POST", "/v1/oauth/google_drive/authorize", object{"name": "n"}).text("url")
			at := w.browser().confirm(link)
			own := v.consent(v.confirm(w.authorize("google_drive", object{"name": "m"})))
			theirs := v.consent(at)
			v.want(403, "GET", theirs, "not begun in this browser")
			_, code, _ := strings.Cut(theirs, "code=")
			code, _, _ = strings.Cut(code, "&")
			v.want(400, "GET", change(own, "code", code), "Not connected") // their code in our flow: the verifier is another
		},
		"a foreign state": func(w *consenting, v *browser) {
			back := v.consent(v.confirm(w.authorize("google_drive", object{"name": "n"})))
			v.want(404, "GET", change(back, "state", "a-b-c"), "not known")
			v.want(404, "GET", change(back, "state", ""), "not known")
			v.want(404, "GET", back+"&state=a-b-c", "not known")
		},
		"the state of a link that was not confirmed": func(w *consenting, v *browser) {
			link := w.authorize("google_drive", object{"name": "n"})
			v.want(404, "GET", w.url+"/connect/callback?code=x&state="+strings.TrimPrefix(link, w.url+"/connect/"), "not known")
		},
		"another provider answers": func(w *consenting, v *browser) {
			google := v.consent(v.confirm(w.authorize("google_drive", object{"name": "n"})))
			v.want(400, "GET", change(google, "iss", w.graph.URL), "does not come from the provider")
			google = v.consent(v.confirm(w.authorize("google_drive", object{"name": "n"})))
			graph := v.consent(v.confirm(w.authorize("sharepoint", object{"name": "m"})))
			_, code, _ := strings.Cut(graph, "code=")
			code, _, _ = strings.Cut(code, "&")
			v.want(400, "GET", change(google, "code", code), "did not take the code")
		},
		"the user declines": func(w *consenting, v *browser) {
			w.google.Inject(gdrive.Fault{Match: gdrive.On(gdrive.Authorize), Action: gdrive.ReplyReason("access_denied")})
			got := v.connect(w.authorize("google_drive", object{"name": "n"}))
			w.check(got, 403, "declined", "access_denied")
			if failed := w.as(200, "GET", "/v1/organizations/audit/logs?action=storage_connection_failed", nil).results(); len(failed) != 1 {
				w.t.Errorf("the trail holds %v", failed)
			}
		},
		"the provider's text": func(w *consenting, v *browser) {
			back := v.consent(v.confirm(w.authorize("google_drive", object{"name": "n"})))
			got := v.do("GET", change(back, "code", "", "error", "<b>call 555", "error_description", "call 555 now"))
			w.check(got, 400, "refused")
			if strings.Contains(got.text, "555") {
				w.t.Errorf("the page repeats what came along:\n%s", got.text)
			}
		},
		"neither code nor error": func(w *consenting, v *browser) {
			back := v.consent(v.confirm(w.authorize("google_drive", object{"name": "n"})))
			v.want(400, "GET", change(back, "code", ""), "neither")
		},
		"the token endpoint is down": func(w *consenting, v *browser) {
			w.graph.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Token), Action: msgraph.Unavailable(0)})
			w.check(v.connect(w.authorize("sharepoint", object{"name": "n"})), 503, "does not work at the moment")
		},
		"the key was revoked meanwhile": func(w *consenting, v *browser) {
			key := w.key("one", "admin")
			link := w.with(key, 200, "POST", "/v1/oauth/google_drive/authorize", object{"name": "n"}).text("url")
			back := v.consent(v.confirm(link))
			w.as(200, "DELETE", "/v1/organizations/users/"+w.org.User.Email+"/api-keys/one", nil)
			v.want(403, "GET", back, "revoked")
		},
		"the key was demoted meanwhile": func(w *consenting, v *browser) {
			for _, change := range []object{{"permissions": []string{"write"}}, {"scopes": []object{{"resource_type": "bucket", "resource_id": "*"}}}} {
				key := w.key("two", "admin")
				ask := func() string {
					return w.with(key, 200, "POST", "/v1/oauth/google_drive/authorize", object{"name": "n"}).text("url")
				}
				link, back := ask(), v.consent(v.confirm(ask()))
				w.as(200, "PATCH", "/v1/organizations/users/"+w.org.User.Email+"/api-keys/two", change)
				v.want(403, "GET", link, "may not connect")
				v.want(403, "POST", link, "may not connect")
				v.want(403, "GET", back, "may not connect")
				w.as(200, "DELETE", "/v1/organizations/users/"+w.org.User.Email+"/api-keys/two", nil)
			}
		},
		"the client was removed meanwhile": func(w *consenting, v *browser) {
			back := v.consent(v.confirm(w.authorize("google_drive", object{"name": "n"})))
			w.deps.Clients = nil
			w.restart()
			v.want(409, "GET", back, "removed this OAuth client")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newConsenting(t)
			attack(w, w.browser())
			w.late = 0
			w.nothing()
		})
	}
}

func TestCallbackOnce(t *testing.T) {
	w := newConsenting(t)
	b := w.browser()
	back := b.consent(b.confirm(w.authorize("google_drive", object{"name": "n"})))
	b.want(200, "GET", back, "Connected")
	b.want(409, "GET", back, "used already")
	if got := w.connections(); len(got) != 1 {
		t.Errorf("there are %v", got)
	}
	w.check(b.connect(w.authorize("google_drive", object{"name": "m", "shared_drive_id": "0ANoSuchDrive"})), 400, "Not connected", "test failed")
	if got := w.connections(); len(got) != 1 {
		t.Errorf("a connection whose test failed was saved: %v", got)
	}
}

func TestReconnect(t *testing.T) {
	for provider := range both {
		t.Run(provider, func(t *testing.T) {
			w := newConsenting(t)
			b := w.browser()
			w.check(b.connect(w.authorize(provider, object{"name": "n"})), 200, "Connected")
			conn := "/v1/organizations/connections/n"
			w.google.RevokeTokens()
			w.graph.RevokeRefreshTokens(directory, person)
			w.graph.ExpireAccessTokens()
			w.restart()
			if test := w.as(200, "POST", conn+"/test", nil); test.at("success") != false {
				t.Fatalf("revoked, the test says %s", test.raw)
			}
			before := w.as(200, "GET", conn, nil)
			if before.text("status") != "FAILED" {
				t.Fatalf("a refused refresh did not count: %s", before.raw)
			}
			link := w.authorize(provider, object{"connection": before.text("connection_id")})
			b.want(200, "GET", link, "to be reconnected")
			w.check(b.connect(link), 200, "Reconnected")
			if after := w.as(200, "GET", conn, nil); after.text("status") != "ACTIVE" || after.number("consecutive_failures") != 0 {
				t.Errorf("after reconnecting: %s", after.raw)
			}
			w.as(200, "PATCH", conn, object{"status": "SUSPENDED"})
			w.check(b.connect(w.authorize(provider, object{"connection": "n"})), 200, "Reconnected", "suspended by a user")
			w.as(200, "DELETE", conn, nil)
			w.as(409, "POST", "/v1/oauth/"+provider+"/authorize", object{"connection": before.text("connection_id")})
		})
	}
}

func TestAuthorizeRefused(t *testing.T) {
	w := newConsenting(t)
	const path = "/v1/oauth/google_drive/authorize"
	w.with(w.key("writer", "write"), 403, "POST", path, object{"name": "n"})
	w.with("", 401, "POST", path, object{"name": "n"})
	w.as(404, "POST", "/v1/oauth/s3/authorize", object{"name": "n"})
	w.as(422, "POST", path, object{})
	w.as(422, "POST", path, object{"name": "conn_x"})
	w.as(422, "POST", path, object{"name": "n", "client": "other"})
	w.as(422, "POST", path, object{"name": "n", "site_id": "root"})
	w.as(422, "POST", path, object{"name": "n", "shared_drive_id": "a/b"})
	w.as(404, "POST", path, object{"connection": "m"})
	w.check(w.browser().connect(w.authorize("google_drive", object{"name": "n"})), 200)
	w.as(409, "POST", path, object{"name": "n"})
	w.as(422, "POST", path, object{"name": "m", "connection": "n"})
	w.as(400, "POST", "/v1/oauth/sharepoint/authorize", object{"connection": "n"})
	_, eve := w.found("eve@example.org")
	w.with(eve, 404, "POST", path, object{"connection": "n"})

	w.deps.Clients = append(w.deps.Clients, w.deps.Clients[0])
	w.deps.Clients[2].Name = "second"
	w.restart()
	if got := w.as(422, "POST", path, object{"name": "m"}); !strings.Contains(string(got.raw), "second") {
		t.Errorf("of several clients: %s", got.raw)
	}
	if got := w.as(200, "POST", path, object{"name": "m", "client": "second"}); got.text("client") != "second" {
		t.Errorf("the second client: %s", got.raw)
	}
	w.deps.Clients = nil
	w.restart()
	w.as(409, "POST", path, object{"name": "m"})
	w.deps.PublicURL = ""
	w.restart()
	if got := w.as(409, "POST", path, object{"name": "m"}); !strings.Contains(string(got.raw), "--public-url") {
		t.Errorf("without a public URL: %s", got.raw)
	}
	w.server.OAuth = nil
}

// TestNoSecretOfAFlowLeaves: neither the operator's secrets nor what a flow
// consists of are in a page, a log or an answer.
func TestNoSecretOfAFlowLeaves(t *testing.T) {
	w := newConsenting(t)
	b := w.browser()
	link := w.authorize("sharepoint", object{"name": "n"})
	at := b.confirm(link)
	back := b.consent(at)
	done := b.do("GET", back)
	w.as(200, "GET", "/v1/organizations/connections/n", nil)
	secrets := []string{googleSecret, graphSecret}
	for _, part := range []string{"code", "state"} {
		_, v, _ := strings.Cut(back, part+"=")
		v, _, _ = strings.Cut(v, "&")
		secrets = append(secrets, v)
	}
	secrets = append(secrets, strings.TrimPrefix(link, w.url+"/connect/"))
	seen := w.log.String() + done.text
	for _, body := range w.bodies {
		if !strings.Contains(string(body), "/connect/") { // the answer that is the link
			seen += string(body)
		}
	}
	for _, s := range secrets {
		if len(s) < 10 || strings.Contains(seen, s) {
			t.Errorf("%q was seen", s)
		}
	}
}
