package outbound_test

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"mooring/internal/outbound"
)

// TestIsolatedTellsTheNetworkFromAProvider: it takes two sites that answered.
func TestIsolatedTellsTheNetworkFromAProvider(t *testing.T) {
	g := guard(t, outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Resolver: resolver("127.0.0.1")})
	at := func(srv *httptest.Server, name string) string {
		return "http://" + name + srv.URL[strings.LastIndex(srv.URL, ":"):]
	}
	is := func(what string, want bool) {
		t.Helper()
		if got := g.Isolated(t.Context()); got != want {
			t.Errorf("%s: %v", what, got)
		}
	}
	one, other := server(t, hello), server(t, hello)
	is("nothing is known", false)
	for _, url := range []string{one.URL, at(one, "a.one.example"), at(one, "b.one.example")} {
		if _, err := get(t, g.Client(false), url); err != nil {
			t.Fatal(err)
		}
	}
	one.Close()
	is("the only provider is gone, under any of its names", false)
	if _, err := get(t, g.Client(false), at(other, "other.example.org")); err != nil {
		t.Fatal(err)
	}
	is("another answers", false)
	other.Close()
	is("none answers", true)
}
