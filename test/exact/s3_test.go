package exact_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	emulator "mooring/emulator/s3"
	"mooring/internal/provider/s3"
)

// The simplest source: its listing is the only truth, and the rig is proven with it.
func TestS3IsExact(t *testing.T) {
	srv, err := emulator.Start(emulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	if err := srv.CreateBucket("data"); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, setup{
		provider: "s3", open: s3.Open, path: "data/in",
		config: map[string]any{
			"region": srv.Region(), "endpoint_url": srv.URL(), "use_ssl": false,
			"credentials": map[string]any{"type": "access_key", "access_key_id": emulator.DefaultAccessKeyID, "secret_access_key": emulator.DefaultSecretAccessKey},
		},
	})
	random := rand.New(rand.NewPCG(1, 2))
	want := map[string]file{}
	put := func(key string) {
		content := fmt.Appendf(nil, "%s %d", key, random.Uint64())
		if err := srv.Put("data", key, content, emulator.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(content); key[:3] == "in/" {
			want["data/"+key] = file{Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
		}
	}
	for range 30 {
		for range 1 + random.IntN(20) {
			keys := slices.Sorted(maps.Keys(want))
			switch {
			case len(keys) > 0 && random.IntN(4) == 0:
				gone := keys[random.IntN(len(keys))]
				if err := srv.Delete("data", gone[len("data/"):]); err != nil {
					t.Fatal(err)
				}
				delete(want, gone)
			case random.IntN(8) == 0:
				put(fmt.Sprintf("out/%d", random.IntN(50)))
			default:
				put(fmt.Sprintf("in/%d/%d", random.IntN(5), random.IntN(50)))
			}
		}
		r.must()
		r.exact(want)
	}
	if r.failures() != 0 {
		t.Errorf("%d failures count", r.failures())
	}
}
