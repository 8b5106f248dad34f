package config_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"mooring/internal/connection/config"
	"mooring/internal/secret"
)

func TestScrubRemovesEveryEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[a-zA-Z0-9"'\\/+=&%<>@:?# ü~_.-]{8,60}`).Draw(t, "secret")
		before := rapid.StringN(0, 10, 40).Draw(t, "before")
		j, _ := json.Marshal(s)
		inner := string(j[1 : len(j)-1])
		forms := []string{
			s, inner, strings.ReplaceAll(inner, "/", `\/`), hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s))),
			url.QueryEscape(s), strings.ToLower(url.QueryEscape(s)), url.PathEscape(s), url.UserPassword("u", s).String()[2:],
			base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)),
		}
		if strings.ToLower(s) != s { // lower-cased escapes only count where the rest is as it was
			forms = append(forms[:6], forms[7:]...)
		}
		for _, f := range forms {
			out := config.Scrub(before+f+" tail", []secret.String{secret.New("other"), secret.New(s)})
			if strings.Contains(out, f) || !strings.HasSuffix(out, " tail") {
				t.Fatalf("%q stays in %q", f, out)
			}
		}
	})
}

func TestScrubFindsBasicAuthAndKeyLines(t *testing.T) {
	for _, user := range []string{"u", "us", "use", "user"} {
		header := base64.StdEncoding.EncodeToString([]byte(user + ":hunter2-hunter2"))
		out := config.Scrub("sent Basic "+header, []secret.String{secret.New("hunter2-hunter2")})
		i := base64.StdEncoding.EncodeToString([]byte("hunter2-hunter2"))
		if strings.Contains(out, i[4:12]) || len(out) > len("sent Basic ")+12 {
			t.Errorf("%s: %s", user, out)
		}
	}
	if out := config.Scrub("bad line canaryMIIEvQIBADANBgkqhkiG9w0 of the key", []secret.String{secret.New(pem)}); strings.Contains(out, "canary") {
		t.Error(out)
	}
}

func TestScrubTakesTheLongest(t *testing.T) {
	secrets := []secret.String{secret.New("hunter2"), secret.New("hunter2-and-more")}
	if out := config.Scrub("it was hunter2-and-more.", secrets); out != "it was ***." {
		t.Error(out)
	}
}

func TestScrubCuts(t *testing.T) {
	out := config.Scrub(strings.Repeat("é", 2000)+"\xff", nil)
	if utf8.RuneCountInString(out) != config.MaxText || !utf8.ValidString(out) {
		t.Errorf("%d code points", utf8.RuneCountInString(out))
	}
	// A secret that lies across the cut is removed, not halved.
	out = config.Scrub(strings.Repeat("x", 990)+longSecret, []secret.String{secret.New(longSecret)})
	if strings.Contains(out, "canary") {
		t.Error(out)
	}
	if got := config.Scrub("fine", []secret.String{{}, secret.New("***")}); got != "fine" {
		t.Errorf("%q", got)
	}
}
