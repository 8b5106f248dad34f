//go:build mongo

package mongo

import (
	"context"
	"fmt"
	"os"
	"testing"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"mooring/csfle"
	"mooring/csfle/vaulttest"
	"mooring/internal/secret"
	"mooring/internal/store/storetest"
	"mooring/test/mongoserver"
)

// base is the URI of the server that the tests share, shared a client of it.
var (
	base   string
	shared *driver.Client
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if base = mongoserver.Real(); base == "" {
		dir, err := os.MkdirTemp("", "mongoserver-")
		if err != nil {
			return 1, err
		}
		defer os.RemoveAll(dir)
		s, err := mongoserver.Start(dir)
		if err != nil {
			return 1, err
		}
		defer s.Kill()
		base = s.URI("")
	}
	if shared, err = driver.Connect(options.Client().ApplyURI(base)); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// open opens a database of a URI and drops it at the end.
func open(t *testing.T, uri string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{URI: secret.New(uri), noted: asked.note})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// fresh is the URI of a new database, which goes with the test.
func fresh(t *testing.T) string {
	t.Helper()
	name := mongoserver.NewName()
	t.Cleanup(func() {
		if err := shared.Database(name).Drop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return mongoserver.Database(base, name)
}

func harness(t *testing.T, uri string) storetest.Harness {
	s := open(t, uri)
	return storetest.Harness{Store: s, System: s.System(), Reopen: func(t *testing.T) storetest.Harness {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return harness(t, uri)
	}}
}

// The parts of the suite stand in one test, at whose end all is known that they ask of the server.
func TestStore(t *testing.T) {
	fresh := func(t *testing.T) storetest.Harness { return harness(t, fresh(t)) }
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"Roles", func(t *testing.T) { storetest.Run(t, fresh) }},
		{"Raw", func(t *testing.T) { storetest.RunRaw(t, fresh) }},
		{"KeyVault", func(t *testing.T) {
			vaulttest.Run(t, func(t *testing.T) csfle.KeyVault { return fresh(t).Store.KeyVault() })
		}},
		{"Queries", everyQueryHasItsIndex},
	} {
		t.Run(part.name, part.run)
	}
}
