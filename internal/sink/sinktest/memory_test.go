package sinktest_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/sink"
	"mooring/internal/sink/sinktest"
)

type memoryHarness struct{ m *sinktest.Memory }

func (h memoryHarness) Destination(*testing.T) sink.Destination { return h.m }

func TestMemory(t *testing.T) {
	sinktest.Run(t, func(*testing.T) sinktest.Harness { return memoryHarness{sinktest.NewMemory()} })
}

var aBucket = bucket.Bucket{Org: "int_a", ID: "bkt_a"}

// After a crash, what was settled is there; what was not is there, shortened or
// missing, and the later of two changes never without the earlier.
func TestMemoryCrash(t *testing.T) {
	var lost, shortened, kept int
	for seed := range uint64(200) {
		m := sinktest.NewMemory()
		s, err := m.Bucket(context.Background(), aBucket)
		if err != nil {
			t.Fatal(err)
		}
		put := func(name string) {
			w, err := s.Stage(context.Background(), "s", -1)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.WriteString(w, "content")
			if err = errors.Join(err, w.Close(), s.Place(context.Background(), "s", name, 7)); err != nil {
				t.Fatal(err)
			}
		}
		put("settled")
		if err := s.Settle(context.Background()); err != nil {
			t.Fatal(err)
		}
		put("first")
		put("second")
		m.Crash(rand.New(rand.NewPCG(seed, 0)))
		s, _ = m.Bucket(context.Background(), aBucket)
		if size, err := s.Stat(context.Background(), "settled"); err != nil || size != 7 {
			t.Fatalf("what was settled is %d bytes, %v", size, err)
		}
		first, err1 := s.Stat(context.Background(), "first")
		_, err2 := s.Stat(context.Background(), "second")
		switch {
		case err1 != nil && err2 == nil:
			t.Fatal("the later change is there without the earlier one")
		case err1 != nil:
			lost++
		case first < 7:
			shortened++
		default:
			kept++
		}
	}
	if lost == 0 || shortened == 0 || kept == 0 {
		t.Errorf("of 200 crashes: lost %d, shortened %d, kept %d", lost, shortened, kept)
	}
}

func TestMemoryFails(t *testing.T) {
	m := sinktest.NewMemory()
	full := errs.New(errs.Unavailable, "test", "the disk is full")
	fail := ""
	m.Fail = func(op, _ string) error {
		if op == fail {
			return full
		}
		return nil
	}
	s, err := m.Bucket(context.Background(), aBucket)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Stage(context.Background(), "s", -1)
	if err != nil {
		t.Fatal(err)
	}
	fail = "write"
	if _, err := w.Write([]byte("x")); !errors.Is(err, full) {
		t.Errorf("write: %v", err)
	}
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("close after a failed write: %v", err)
	}
	w.Abort()
	fail = "settle"
	if err := s.Settle(context.Background()); !errors.Is(err, full) {
		t.Errorf("settle: %v", err)
	}
}
