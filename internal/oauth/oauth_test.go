package oauth

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"pgregory.net/rapid"

	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
)

func TestTokens(t *testing.T) {
	c := connection.Consent{ID: id.NewToken(20), Org: id.NewOrg()}
	token, hash := newToken(&c)
	other, _ := newToken(&c)
	org, name, given, ok := parse(token)
	if !ok || org != c.Org || name != c.ID || !matches(given, hash) || strings.Contains(token, hash) {
		t.Errorf("%s was read as %s, %s, %v", token, org, name, ok)
	}
	if _, _, given, _ := parse(other); matches(given, hash) || matches("", "") || matches(given, "") {
		t.Error("another secret matches")
	}
}

// FuzzParse: whatever a browser sends is an organization, a flow and a secret
// of letters and digits, or nothing.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "a-b-c", "a--c", "a-b-c-d", "ä-b-c", strings.Repeat("a", 300), "a-b-c\x00", "../-b-c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		org, name, secret, ok := parse(s)
		if ok && strings.TrimPrefix(string(org), orgLead)+"-"+name+"-"+secret != s {
			t.Errorf("%q was read as %q, %q, %q", s, org, name, secret)
		}
	})
}

// TestNothingOfAProviderIsRepeated: but what looks like a code.
func TestNothingOfAProviderIsRepeated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.StringMatching(`[A-Za-z0-9 <>_.:/-]{1,60}`).Draw(t, "code")
		e := told(code)
		if e.Code != "" && !codeForm.MatchString(code) || !codeForm.MatchString(code) && len(code) > 12 && strings.Contains(e.Message(), code) {
			t.Fatalf("%q is repeated in %q", code, e.Message())
		}
	})
}

func TestExchangeErrors(t *testing.T) {
	s := New(Deps{PublicURL: "https://mooring.example.org"})
	for name, tt := range map[string]struct {
		err  error
		kind errs.Kind
		says string
	}{
		"unregistered redirect": {&oauth2.RetrieveError{ErrorCode: "redirect_uri_mismatch"}, errs.Invalid, "https://mooring.example.org/connect/callback"},
		"client":                {&oauth2.RetrieveError{ErrorCode: "invalid_client", ErrorDescription: "call 555"}, errs.Invalid, "client_secret_file"},
		"code":                  {&oauth2.RetrieveError{ErrorCode: "invalid_grant"}, errs.Invalid, "code"},
		"down":                  {&oauth2.RetrieveError{Response: &http.Response{StatusCode: 502}, Body: []byte("call 555")}, errs.Unavailable, "while"},
		"unknown":               {&oauth2.RetrieveError{ErrorCode: "call 555"}, errs.Invalid, "refused"},
		"unreachable":           {http.ErrHandlerTimeout, errs.Unavailable, "reached"},
		"a refused address":     {errs.New(errs.Invalid, "outbound", "the address is private"), errs.Invalid, "private"},
	} {
		err := s.refused(tt.err)
		if e := errs.From(err); e.Kind != tt.kind || e.Origin != errs.Ours || !strings.Contains(e.Message(), tt.says) || strings.Contains(err.Error(), "555") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
