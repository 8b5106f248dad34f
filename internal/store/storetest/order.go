package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mooring/internal/bucket"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/syncing"
)

func orderTests() []subtest {
	return []subtest{
		{"Scan", testScanOrder},
		{"AbsencesAndDeadLetters", testLedgerOrder},
		{"ChangesWhileScanning", testScanChanges},
	}
}

// rawKeys draws distinct keys of any bytes, close to each other, in order.
func rawKeys(t *rapid.T) []key.Key {
	awkward := rapid.SampledFrom([]byte{0, 1, ' ', '!', '"', '/', '0', 'a', 'b', '}', '~', 0x7f, 0x80, 0xfe, 0xff})
	one := rapid.Custom(func(t *rapid.T) key.Key {
		return key.Key(rapid.OneOf(rapid.SliceOfN(awkward, 1, 6), rapid.SliceOfN(rapid.Byte(), 1, 12)).Draw(t, "key"))
	})
	keys := rapid.SliceOfNDistinct(one, 1, 24, func(k key.Key) key.Key { return k }).Draw(t, "keys")
	slices.SortFunc(keys, func(a, b key.Key) int { return bytes.Compare([]byte(a), []byte(b)) })
	return keys
}

// bounds draws a range whose ends are keys of the list, near them, or open.
func bounds(t *rapid.T, keys []key.Key) (after, to key.Key) {
	end := func(label string) key.Key {
		k := rapid.SampledFrom(keys).Draw(t, label)
		return rapid.SampledFrom([]key.Key{"", k, k + "\x00", k + "!", k[:len(k)-1]}).Draw(t, label+" near")
	}
	return end("after"), end("to")
}

func between(keys []key.Key, after, to key.Key) (out []key.Key) {
	for _, k := range keys {
		if k > after && (to == "" || k < to) {
			out = append(out, k)
		}
	}
	return out
}

// walkKeys reads pages of a scan from after on, and checks that they are strictly ascending.
func walkKeys(t rapid.TB, after key.Key, limit int, scan func(after key.Key, limit int) ([]key.Key, error)) (out []key.Key) {
	for {
		page, err := scan(after, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range page {
			if k <= after {
				t.Fatalf("key %q came after %q", k, after)
			}
			after, out = k, append(out, k)
		}
		if len(page) < limit {
			return out
		}
	}
}

func testScanOrder(t *testing.T, h Harness) {
	org := id.NewOrg()
	rapid.Check(t, func(r *rapid.T) {
		b := id.NewBucket()
		keys := rawKeys(r)
		var objects []bucket.Object
		for _, i := range rapid.Permutation(positions(len(keys))).Draw(r, "order of writing") {
			objects = append(objects, newObject(org, b, connA, syncA, keys[i], i))
		}
		if err := h.Store.Catalogue().Upsert(t.Context(), org, b, objects); err != nil {
			r.Fatal(err)
		}
		after, to := bounds(r, keys)
		limit := rapid.IntRange(1, 9).Draw(r, "limit")
		got := walkKeys(r, after, limit, func(after key.Key, limit int) ([]key.Key, error) {
			page, err := h.Store.Catalogue().Scan(t.Context(), org, b, connA, after, to, limit)
			return sources(page, func(e bucket.Entry) key.Key { return e.SourceID }), err
		})
		if want := between(keys, after, to); !slices.Equal(got, want) {
			r.Fatalf("scan of (%q, %q) gave %q, want %q", after, to, got, want)
		}
		got = walkKeys(r, after, limit, func(after key.Key, limit int) ([]key.Key, error) {
			page, err := h.Store.Catalogue().Unseen(t.Context(), org, b, syncA, "pass", after, limit)
			return sources(page, func(e bucket.Entry) key.Key { return e.SourceID }), err
		})
		if want := between(keys, after, ""); !slices.Equal(got, want) {
			r.Fatalf("unseen after %q gave %q, want %q", after, got, want)
		}
	})
}

func testLedgerOrder(t *testing.T, h Harness) {
	org := id.NewOrg()
	rapid.Check(t, func(r *rapid.T) {
		s, p := id.NewSync(), id.NewPass()
		keys := rawKeys(r)
		var absences []syncing.Absence
		var letters []syncing.DeadLetter
		for _, i := range rapid.Permutation(positions(len(keys))).Draw(r, "order of writing") {
			absences = append(absences, syncing.Absence{Object: id.ObjectOf(bktA, connA, string(keys[i])), SourceID: keys[i], Name: fmt.Sprint("name ", i)})
			letters = append(letters, newLetter(org, s, keys[i], i))
		}
		if err := h.Store.Absences().Note(t.Context(), org, s, p, absences); err != nil {
			r.Fatal(err)
		}
		if err := h.Store.DeadLetters().Put(t.Context(), org, letters); err != nil {
			r.Fatal(err)
		}
		after, to := bounds(r, keys)
		limit := rapid.IntRange(1, 9).Draw(r, "limit")
		got := walkKeys(r, after, limit, func(after key.Key, limit int) ([]key.Key, error) {
			page, err := h.Store.Absences().List(t.Context(), org, s, p, after, limit)
			return sources(page, func(a syncing.Absence) key.Key { return a.SourceID }), err
		})
		if want := between(keys, after, ""); !slices.Equal(got, want) {
			r.Fatalf("absences after %q gave %q, want %q", after, got, want)
		}
		got = walkKeys(r, after, limit, func(after key.Key, limit int) ([]key.Key, error) {
			page, err := h.Store.DeadLetters().Scan(t.Context(), org, s, after, to, limit)
			return sources(page, func(l syncing.DeadLetter) key.Key { return l.SourceID }), err
		})
		if want := between(keys, after, to); !slices.Equal(got, want) {
			r.Fatalf("dead letters of (%q, %q) gave %q, want %q", after, to, got, want)
		}
	})
}

func positions(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func sources[T any](page []T, of func(T) key.Key) []key.Key {
	out := make([]key.Key, 0, len(page))
	for _, v := range page {
		out = append(out, of(v))
	}
	return out
}

// testScanChanges writes before and after the scan's position while it goes on:
// what stays is met exactly once.
func testScanChanges(t *testing.T, h Harness) {
	org := id.NewOrg()
	var stay []key.Key
	for i := range 20 {
		k := key.Key(fmt.Sprintf("k%02d\xff", i))
		upsert(t, h, org, simple(org, k, i), simple(org, k+"gone", i))
		stay = append(stay, k)
	}
	step := 0
	got := walkKeys(t, "", 3, func(after key.Key, limit int) ([]key.Key, error) {
		page, err := h.Store.Catalogue().Scan(t.Context(), org, bktA, connA, after, "", limit)
		step++
		upsert(t, h, org, simple(org, key.Key(fmt.Sprint("a-before-", step)), 1))
		must(t, h.Store.Catalogue().Remove(t.Context(), org, bktA, []id.Object{id.ObjectOf(bktA, connA, string(stay[19-step%10]+"gone"))}))
		return sources(page, func(e bucket.Entry) key.Key { return e.SourceID }), err
	})
	got = slices.DeleteFunc(got, func(k key.Key) bool { return !slices.Contains(stay, k) })
	same(t, "keys that stayed", got, stay)
}
