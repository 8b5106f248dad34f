package gdrive_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	emulator "mooring/emulator/gdrive"
	"mooring/internal/errs"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/gdrive"
)

func TestARefusedTokenIsReplacedOnce(t *testing.T) {
	s, team, src := robot(t)
	if _, err := src.Check(t.Context(), team); err != nil {
		t.Fatal(err)
	}
	s.ExpireAccessTokens()
	before := s.Count(emulator.Token)
	if _, err := src.Check(t.Context(), team); err != nil {
		t.Fatal(err)
	}
	if n := s.Count(emulator.Token) - before; n != 1 {
		t.Errorf("%d tokens were asked for", n)
	}
	s.Inject(emulator.Fault{Match: emulator.On(emulator.FilesGet), Action: emulator.Unauthorized()})
	before, asked := s.Count(emulator.Token), s.Count(emulator.FilesGet)
	_, err := src.Check(t.Context(), team)
	fails(t, "401 for ever", err, errs.Unauthenticated, ofConnection, "authError")
	if a, b := s.Count(emulator.Token)-before, s.Count(emulator.FilesGet)-asked; a != 1 || b != 2 {
		t.Errorf("%d tokens and %d requests", a, b)
	}
}

func TestImpersonation(t *testing.T) {
	s := emulator.Start(t)
	const user, stranger = "user@emulator.example", "stranger@emulator.example"
	s.File(s.User(user), "mine", []byte("x"))
	s.User(stranger)
	var file map[string]any
	if err := json.Unmarshal(s.ServiceAccount(account, user), &file); err != nil {
		t.Fatal(err)
	}
	as := func(who string) driver.Source {
		return open(t, s, map[string]any{"provider_type": "google_drive", "credentials": file, "impersonate_user": who})
	}
	list, _ := pages(t, as(user), "", nil)
	if got := paths(list); len(got) != 1 {
		t.Errorf("as a user there is %v", got)
	}
	_, err := as(stranger).Check(t.Context(), "")
	fails(t, "as one who did not delegate", err, errs.Unauthenticated, ofConnection, "unauthorized_client")
}

func TestARotatedRefreshTokenIsHandedOver(t *testing.T) {
	s := emulator.Start(t, emulator.Options{RotateRefreshTokens: true, RefuseReused: true})
	o := options(t, s)
	tokens := provider.NewTokens(time.Now)
	o.Tokens = tokens
	src, err := gdrive.Open(t.Context(), decode(t, oauth(s, "user@emulator.example")), o)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		old := tokens.Refresh()
		if _, err := src.Check(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if tokens.Refresh().IsZero() || tokens.Refresh().Equal(old) {
			t.Error("the new refresh token is not handed over")
		}
		s.ExpireAccessTokens()
	}
	s.RevokeTokens()
	_, err = src.Check(t.Context(), "")
	fails(t, "revoked", err, errs.Unauthenticated, ofConnection, "invalid_grant")
}

func TestUnrotatedRefreshTokensStayWithTheConfiguration(t *testing.T) {
	s := emulator.Start(t)
	o := options(t, s)
	tokens := provider.NewTokens(time.Now)
	o.Tokens = tokens
	src, err := gdrive.Open(t.Context(), decode(t, oauth(s, "user@emulator.example")), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src.Check(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if !tokens.Refresh().IsZero() {
		t.Error("a refresh token is said to have been rotated")
	}
}

func TestKeysThatAreNone(t *testing.T) {
	s := emulator.Start(t)
	for name, key := range map[string]string{
		"no PEM":      "nonsense-key-material",
		"another PEM": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		raw := serviceAccount(t, s)
		raw["credentials"].(map[string]any)["private_key"] = key
		_, err := gdrive.Open(t.Context(), decode(t, raw), options(t, s))
		fails(t, name, err, errs.Invalid, ofConnection, "")
	}
	raw := serviceAccount(t, s)
	c := raw["credentials"].(map[string]any)
	c["private_key"] = strings.ReplaceAll(c["private_key"].(string), "\n", `\n`)
	if _, err := open(t, s, raw).Check(t.Context(), ""); err != nil {
		t.Errorf("a key with its line ends written out: %v", err)
	}
}

// The addresses in a key file could be anybody's.
func TestAddressesOfAKeyFileAreNotUsed(t *testing.T) {
	s := emulator.Start(t)
	stolen := 0
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen++ }))
	defer thief.Close()
	raw := serviceAccount(t, s)
	raw["credentials"].(map[string]any)["token_uri"] = thief.URL
	if _, err := open(t, s, raw).Check(t.Context(), ""); err != nil || stolen != 0 {
		t.Errorf("%d requests went to the address of the key file, %v", stolen, err)
	}
}

func TestTheTokenEndpointMustNotSendUsElsewhere(t *testing.T) {
	s := emulator.Start(t)
	stolen := 0
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen++ }))
	defer thief.Close()
	s.Inject(emulator.Fault{Match: emulator.On(emulator.Token), Action: emulator.Reply(emulator.Error{Status: 307, Reason: "moved", Header: http.Header{"Location": {thief.URL}}})})
	for _, raw := range []map[string]any{serviceAccount(t, s), oauth(s, "user@emulator.example")} {
		o := options(t, s)
		o.Transport = following{} // the guard would refuse too
		src, err := gdrive.Open(t.Context(), decode(t, raw), o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = src.Check(t.Context(), "")
		if errs.KindOf(err) != errs.Unavailable || stolen != 0 {
			t.Errorf("%d requests, %v", stolen, err)
		}
	}
}

// following is a transport whose clients follow redirects, with bodies.
type following struct{}

func (following) Client(bool) *http.Client { return &http.Client{} }
func (following) Operator() *http.Client   { return &http.Client{} }

func TestBudgetIsProven(t *testing.T) {
	s := emulator.Start(t)
	budget := func(raw map[string]any) string { return open(t, s, raw).(driver.Budgeter).Budget() }
	a, b := serviceAccount(t, s), serviceAccount(t, s, "shared_drive_id", "0AB")
	b["credentials"] = a["credentials"]
	forged := serviceAccount(t, s) // the same account with another key
	if budget(a) != budget(b) {
		t.Error("connections of one account have budgets of their own")
	}
	if budget(a) == budget(forged) {
		t.Error("who only names an account shares its budget")
	}
	key := a["credentials"].(map[string]any)["private_key"].(string)
	if text := fmt.Sprintf("%s %+v", budget(a), open(t, s, a)); strings.Contains(text, key[40:80]) {
		t.Error("the budget or the source prints the key")
	}
	one, two := oauth(s, "one@emulator.example"), oauth(s, "two@emulator.example")
	if budget(one) != budget(two) {
		t.Error("users of one OAuth client have budgets of their own")
	}
}
