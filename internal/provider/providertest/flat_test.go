package providertest_test

import (
	"errors"
	"io"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
)

func TestTenMillionGeneratedKeysSplitAndPage(t *testing.T) {
	f := providertest.NewFlat(providertest.FlatOptions{Synthetic: 10_000_000, SyntheticSize: 3})
	f.Delete("000005000001")
	f.Put("000005000002", []byte("over"))
	parts, err := f.Split(t.Context(), driver.Scope{Path: "data"}, 4)
	if err != nil || len(parts) != 4 || parts[2].From != "data/000005000000" {
		t.Fatalf("%+v, %v", parts, err)
	}
	p, err := f.Changes(t.Context(), parts[2], nil)
	if err != nil || len(p.Changes) != 1000 || !p.More || !p.Ordered {
		t.Fatalf("%d changes, %v", len(p.Changes), err)
	}
	if it := p.Changes[1].Item; it.Path != "000005000002" || it.Size != 4 {
		t.Errorf("what was put does not cover what is generated: %+v", it)
	}
	if _, err := f.Stat(t.Context(), parts[2], "data/000005000001"); !errs.Is(err, errs.NotFound) {
		t.Errorf("a deleted generated key: %v", err)
	}
}

func TestFaultsMeetTheCallsTheyName(t *testing.T) {
	f := providertest.NewFlat(providertest.FlatOptions{PageSize: 2})
	for _, k := range []string{"a", "b", "c", "d", "e"} {
		f.Put(k, []byte("0123456789"))
	}
	f.FailPage(2, errs.Throttled, 1)
	f.Inject(providertest.Fault{Method: providertest.Changes, Page: 3, Action: providertest.Incomplete()})
	scope := driver.Scope{Path: "data"}
	p1, err := f.Changes(t.Context(), scope, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Changes(t.Context(), scope, p1.Next); !errs.Is(err, errs.Throttled) {
		t.Errorf("page 2: %v", err)
	}
	p2, err := f.Changes(t.Context(), scope, p1.Next)
	if err != nil {
		t.Errorf("page 2 again: %v", err)
	}
	if p3, err := f.Changes(t.Context(), scope, p2.Next); err != nil || !p3.Incomplete {
		t.Errorf("page 3: %v %v", p3.Incomplete, err)
	}
	f.Inject(providertest.Fault{Method: providertest.Open, ID: "data/a", Times: 1, Action: providertest.ShortRead(4)})
	f.Inject(providertest.Fault{Method: providertest.Open, ID: "data/b", Action: providertest.CorruptByte(3)})
	read := func(i int) (string, error) {
		r, err := f.Open(t.Context(), p1.Changes[i].Item, 0)
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(r)
		return string(b), err
	}
	if s, err := read(0); s != "0123" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short: %q, %v", s, err)
	}
	if s, err := read(0); s != "0123456789" || err != nil {
		t.Errorf("after the short one: %q, %v", s, err)
	}
	if s, err := read(1); s != "012\xcc456789" || err != nil {
		t.Errorf("corrupt: %q, %v", s, err)
	}
	if n := f.Count(providertest.Open); n != 3 {
		t.Errorf("%d opens were counted", n)
	}
}
