//go:build interop

package webhooks

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

const (
	patience     = 8 * time.Minute
	sourceBucket = "harbour"
	rounds       = 6
	perRound     = 60 // objects
)

// mooring is the binary under test.
var mooring string

func TestMain(m *testing.M) { os.Exit(binary.Main(m, &mooring)) }

// world is a server with a webhook, which both can die.
type world struct {
	t   *testing.T
	ctx context.Context
	dir string
	*binary.Server
	binary.API
	*receiver
	hook, secret string
}

func newWorld(t *testing.T) *world {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, dir: filepath.Join(t.TempDir(), "data"), receiver: newReceiver(t)}
	w.serve()
	t.Cleanup(func() {
		_ = w.Server.Kill()
		if t.Failed() {
			log := w.Log.String()
			t.Logf("the end of the server's log:\n%s\nof the receiver:\n%s", log[max(0, len(log)-8000):], w.stderr)
		}
	})
	made := w.want(http.MethodPost, "/v1/webhooks", binary.Object{"url": w.url()})
	w.hook, w.secret = binary.Text(made, "webhook_id"), binary.Text(made, "secret")
	return w
}

// serve starts the server, again if need be.
func (w *world) serve() {
	w.t.Helper()
	var err error
	if w.Server, err = binary.Start(mooring, w.dir); err != nil {
		w.t.Fatal(err)
	}
	key, err := w.AdminKey()
	if err != nil {
		w.t.Fatal(err)
	}
	w.API = binary.API{URL: w.Server.URL, Key: key}
}

func (w *world) want(method, path string, body any) binary.Object {
	w.t.Helper()
	out, err := w.Want(w.ctx, method, path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) at(rest ...string) string {
	return binary.Path(append([]string{"webhooks", w.hook}, rest...)...)
}

// until waits for something and ends the test where it does not come.
func (w *world) until(what string, holds func() (bool, error)) {
	w.t.Helper()
	if err := binary.Until(w.ctx, what, holds); err != nil {
		w.t.Fatal(err)
	}
}

// hurry is what operators do after an outage, who don't want to wait until the
// next attempt is due: they enable the webhook and have the rest sent again.
func (w *world) hurry() {
	w.t.Helper()
	w.want(http.MethodPatch, w.at(), binary.Object{"enabled": true})
	w.want(http.MethodPost, w.at("deliveries", "retry"), nil)
}

// caughtUp reports whether the receiver has got all that there is.
func (w *world) caughtUp() bool {
	w.t.Helper()
	w.hurry()
	waiting, _ := w.want(http.MethodGet, w.at("deliveries"), nil)["results"].([]any)
	return binary.Int(w.want(http.MethodGet, w.at(), nil), "behind") == 0 && len(waiting) == 0
}

// took is how many entries the receiver's journal has.
func (w *world) took() int {
	w.t.Helper()
	all, err := w.journal()
	if err != nil {
		w.t.Fatal(err)
	}
	return len(all)
}

func TestNoEventIsLost(t *testing.T) {
	w := newWorld(t)
	storage, err := s3.Start(s3.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = storage.Close() })
	if err := storage.CreateBucket(sourceBucket); err != nil {
		t.Fatal(err)
	}
	connection, err := w.Connect(w.ctx, "storage", binary.S3{
		Endpoint: storage.URL(), Region: storage.Region(), KeyID: s3.DefaultAccessKeyID, Secret: s3.DefaultSecretAccessKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := w.Bucket(w.ctx, "media")
	if err != nil {
		t.Fatal(err)
	}
	sync := ""
	for round := range rounds {
		for i := range perRound {
			key := fmt.Sprintf("round-%d/%03d", round, i)
			if err := storage.Put(sourceBucket, key, []byte("the content of "+key), s3.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		w.order(orders{Secrets: []string{w.secret}, Fail: 0.3, Hang: min(round, 1)})
		before, down := w.took(), round%3 == 1
		if down {
			w.receiver.kill()
		}
		if sync == "" {
			if sync, err = w.Sync(w.ctx, bucket, connection, sourceBucket, nil); err != nil {
				t.Fatal(err)
			}
		} else {
			w.trigger(bucket, sync)
		}
		if down {
			w.until("the server notes that the receiver is down", func() (bool, error) {
				return binary.Int(w.want(http.MethodGet, w.at(), nil), "consecutive_failures") > 0, nil
			})
			w.receiver.start()
		}
		w.until("some messages were taken", func() (bool, error) {
			w.hurry()
			return w.took() >= before+5+round, nil
		})
		w.crash(round%3 == 2)
		w.until("the objects have arrived", func() (bool, error) {
			have, err := w.Objects(w.ctx, bucket)
			return len(have) == (round+1)*perRound, err
		})
	}
	w.order(orders{Secrets: []string{w.secret}})
	w.until("the receiver has caught up", func() (bool, error) { return w.caughtUp(), nil })
	w.check(bucket)
}

// trigger asks for a run, once the one before has ended.
func (w *world) trigger(bucket, sync string) {
	w.t.Helper()
	w.until("a run is taken", func() (bool, error) {
		out, err := w.Do(w.ctx, http.MethodPost, binary.Path("buckets", bucket, "syncs", sync, "trigger"), nil)
		if err == nil && out.Status/100 != 2 && out.Status != http.StatusConflict {
			err = fmt.Errorf("trigger: %d %s", out.Status, out.Raw)
		}
		return out.Status/100 == 2, err
	})
}

// crash kills the server, and the receiver too if asked to, while messages are
// sent, and starts both again.
func (w *world) crash(both bool) {
	w.t.Helper()
	if both {
		w.receiver.kill()
	}
	if err := w.Server.Kill(); err != nil {
		w.t.Fatal(err)
	}
	w.serve()
	if both {
		w.receiver.start()
	}
}

// check compares what the receiver took with what the bucket holds.
func (w *world) check(bucket string) {
	w.t.Helper()
	all, err := w.journal()
	if err != nil {
		w.t.Fatal(err)
	}
	messages, created := map[string]binary.Object{}, map[string]int{}
	for _, e := range all {
		if e.Refused != "" || e.Forged != "" {
			w.t.Errorf("the library refused message %q, or took one although its %q was changed", e.Refused, e.Forged)
			continue
		}
		if known, ok := messages[e.ID]; ok {
			if !reflect.DeepEqual(known, e.Message) {
				w.t.Errorf("message %s was sent as %v and as %v", e.ID, known, e.Message)
			}
			continue
		}
		messages[e.ID] = e.Message
		if binary.Text(e.Message, "type") == "object.created" {
			data, _ := e.Message["data"].(binary.Object)
			created[binary.Text(data, "object_id")]++
		}
	}
	objects, err := w.Objects(w.ctx, bucket)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range objects {
		if n := created[binary.Text(o, "object_id")]; n != 1 {
			w.t.Errorf("%d messages tell that %s was created", n, binary.Text(o, "source_path"))
		}
	}
	if len(objects) != rounds*perRound || len(created) != len(objects) {
		w.t.Errorf("%d objects, %d are told of", len(objects), len(created))
	}
	w.t.Logf("%d messages, taken %d times", len(messages), len(all))
}

// For a day after a rotation either secret verifies, and no other does.
func TestRotatedSecretsBothVerify(t *testing.T) {
	w := newWorld(t)
	send := func(want bool, secrets ...string) entry {
		t.Helper()
		w.order(orders{Secrets: secrets})
		if got := w.want(http.MethodPost, w.at("test"), nil); got["success"] != want {
			t.Errorf("test: %v, want %v", got, want)
		}
		all, err := w.journal()
		if err != nil || len(all) == 0 {
			t.Fatalf("the journal: %v, %v", all, err)
		}
		return all[len(all)-1]
	}
	if got := send(true, w.secret); got.Signatures != 1 || binary.Text(got.Message, "type") != "webhook.test" {
		t.Errorf("before the rotation: %+v", got)
	}
	next := binary.Text(w.want(http.MethodPost, w.at("rotate"), nil), "secret")
	for _, s := range []string{w.secret, next} {
		if got := send(true, s); got.Signatures != 2 {
			t.Errorf("after the rotation: %+v", got)
		}
	}
	other := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 32)))
	if got := send(false, other); got.Refused == "" {
		t.Errorf("another secret verifies: %+v", got)
	}
}
