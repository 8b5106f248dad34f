package storetest

import (
	"testing"
	"time"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
)

func leaseTests() []subtest {
	return []subtest{
		{"Acquire", testAcquire},
		{"AcquireRace", testAcquireRace},
		{"Renew", testRenew},
		{"Takeover", testTakeover},
		{"Release", testReleaseLease},
	}
}

const leaseName, term = "sync/sync_a", time.Minute

func readLease(t *testing.T, h Harness) store.Lease {
	t.Helper()
	return ok(h.Store.Leases().Read(t.Context(), leaseName))(t)
}

func acquire(t *testing.T, h Harness, seen store.Lease, holder id.Worker) store.Lease {
	t.Helper()
	return ok(h.Store.Leases().Acquire(t.Context(), seen, holder, term))(t)
}

func testAcquire(t *testing.T, h Harness) {
	same(t, "a lease that was never taken", readLease(t, h), store.Lease{Name: leaseName})
	held := acquire(t, h, readLease(t, h), "wrk_a")
	if held.Name != leaseName || held.Holder != "wrk_a" || held.Fence != 1 || held.Beat != 0 || !held.Until.Equal(held.Since.Add(term)) || held.Since.Location() != time.UTC {
		t.Errorf("acquired %+v", held)
	}
	same(t, "Read", readLease(t, h), held)
	_, err := h.Store.Leases().Acquire(t.Context(), store.Lease{Name: leaseName}, "wrk_b", term)
	wantKind(t, "Acquire of one that was taken meanwhile", err, errs.Conflict)
	_, err = h.Store.Leases().Acquire(t.Context(), store.Lease{Name: leaseName, Fence: 2}, "wrk_b", term)
	wantKind(t, "Acquire with another fence", err, errs.Conflict)
	_, err = h.Store.Leases().Acquire(t.Context(), store.Lease{Name: "other", Fence: 1}, "wrk_b", term)
	wantKind(t, "Acquire of one that does not exist, as if it had", err, errs.Conflict)
	same(t, "Read", readLease(t, h), held)
	other := ok(h.Store.Leases().Acquire(t.Context(), store.Lease{Name: "other"}, "wrk_b", term))(t)
	same(t, "another lease's fence", other.Fence, int64(1))
}

func testAcquireRace(t *testing.T, h Harness) {
	for fence := int64(1); fence <= 3; fence++ {
		seen := readLease(t, h)
		if n := winners(t, race(32, func(int) error {
			_, err := h.Store.Leases().Acquire(t.Context(), seen, id.NewWorker(), term)
			return err
		}), errs.Conflict); n != 1 {
			t.Errorf("%d of 32 took the lease, want 1", n)
		}
		same(t, "fence", readLease(t, h).Fence, fence)
	}
}

func testRenew(t *testing.T, h Harness) {
	held := acquire(t, h, readLease(t, h), "wrk_a")
	seen := held
	for beat := int64(1); beat <= 3; beat++ {
		held = ok(h.Store.Leases().Renew(t.Context(), held, term))(t)
		if held.Beat != beat || held.Fence != 1 || held.Holder != "wrk_a" {
			t.Errorf("renewed %+v, want beat %d", held, beat)
		}
		same(t, "Read", readLease(t, h), held)
	}
	_, err := h.Store.Leases().Acquire(t.Context(), seen, "wrk_b", term)
	wantKind(t, "Acquire of one that was renewed since it was seen", err, errs.Conflict)
}

func testTakeover(t *testing.T, h Harness) {
	lost := acquire(t, h, readLease(t, h), "wrk_a")
	lost = ok(h.Store.Leases().Renew(t.Context(), lost, term))(t)
	held := acquire(t, h, readLease(t, h), "wrk_b")
	if held.Fence != lost.Fence+1 || held.Beat != 0 {
		t.Errorf("taken over as %+v after %+v", held, lost)
	}
	_, err := h.Store.Leases().Renew(t.Context(), lost, term)
	wantKind(t, "Renew by who lost it", err, errs.Conflict)
	must(t, h.Store.Leases().Release(t.Context(), lost)) // no error, no effect
	same(t, "Read", readLease(t, h), held)
	_, err = h.Store.Leases().Acquire(t.Context(), lost, "wrk_a", term)
	wantKind(t, "Acquire with what was held", err, errs.Conflict)
}

func testReleaseLease(t *testing.T, h Harness) {
	held := acquire(t, h, readLease(t, h), "wrk_a")
	must(t, h.Store.Leases().Release(t.Context(), held))
	must(t, h.Store.Leases().Release(t.Context(), held))
	free := readLease(t, h)
	if free.Holder != "" || free.Fence != held.Fence {
		t.Errorf("a released lease is %+v", free)
	}
	_, err := h.Store.Leases().Renew(t.Context(), held, term)
	wantKind(t, "Renew of a released lease", err, errs.Conflict)
	again := acquire(t, h, free, "wrk_a")
	same(t, "the fence after a release", again.Fence, held.Fence+1)
	must(t, h.Store.Leases().Release(t.Context(), store.Lease{Name: "never taken", Fence: 1, Holder: "wrk_a"}))
	same(t, "one that was never taken", ok(h.Store.Leases().Read(t.Context(), "never taken"))(t), store.Lease{Name: "never taken"})
}
