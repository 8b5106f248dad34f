//go:build browser

package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

// worlds answers on the control port: POST /start makes a world, POST
// /{world}/{order} changes it, POST /picture/{name} keeps a screenshot.
type worlds struct {
	t   *testing.T
	dir string

	mu  sync.Mutex
	all []*world
}

// world is a server with a storage beside it.
type world struct {
	server  *binary.Server
	storage *s3.Server
	data    string

	mu    sync.Mutex
	held  []chan struct{} // what holds requests until the release
	hooks int             // status that the receiver of webhooks answers
	heard []string        // what it was sent
}

const harbour = "harbour" // the bucket of every storage

func newWorlds(t *testing.T) *worlds {
	w := &worlds{t: t, dir: t.TempDir()}
	t.Cleanup(func() {
		for _, one := range w.all {
			one.release()
			if err := one.server.Stop(); err != nil && one.server.State().ExitCode() > 0 {
				t.Errorf("the server ended badly: %v", err)
			}
			_ = one.storage.Close()
		}
	})
	return w
}

func (w *worlds) showLogs() {
	for i, one := range w.all {
		log := one.server.Log.String()
		w.t.Logf("log of world %d, its end:\n%s", i, log[max(0, len(log)-20_000):])
	}
}

// order is what a test asks for; each order uses some of it.
type order struct {
	Args      []string `json:"args"` // of mooring serve
	Key       string   `json:"key"`
	Content   string   `json:"content"`
	Size      int      `json:"size"`
	Count     int      `json:"count"`
	Status    int      `json:"status"`
	Operation string   `json:"operation"`
	Action    string   `json:"action"`
	After     int      `json:"after"`
	Times     int      `json:"times"`
	Millis    int      `json:"millis"`
}

// ServeHTTP implements http.Handler.
func (w *worlds) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if first == "picture" {
		answer(rw, nil, keepPicture(rest, r.Body))
		return
	}
	var o order
	number, _ := strconv.Atoi(first)
	if first == "start" {
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			answer(rw, nil, err)
			return
		}
		out, err := w.start(r.Context(), o)
		answer(rw, out, err)
		return
	}
	w.mu.Lock()
	one := (*world)(nil)
	if number >= 0 && number < len(w.all) {
		one = w.all[number]
	}
	w.mu.Unlock()
	if one == nil {
		answer(rw, nil, errors.New("no such world"))
		return
	}
	if rest == "hook" {
		one.hook(rw, r)
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		answer(rw, nil, err)
		return
	}
	out, err := one.do(r.Context(), rest, o)
	answer(rw, out, err)
}

func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_ = json.NewEncoder(w).Encode(v)
}

// link is the one-time sign-in link that a server's first start prints.
var link = regexp.MustCompile(`https?://\S+/sign-in/\S+`)

func (w *worlds) start(ctx context.Context, o order) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	storage, err := s3.Start(s3.Options{})
	if err != nil {
		return nil, err
	}
	if err := storage.CreateBucket(harbour); err != nil {
		return nil, err
	}
	one := &world{storage: storage, data: filepath.Join(w.dir, strconv.Itoa(len(w.all)), "data"), hooks: http.StatusOK}
	if err := os.MkdirAll(filepath.Dir(one.data), 0o700); err != nil {
		return nil, err
	}
	if one.server, err = binary.Start(mooring, one.data, o.Args...); err != nil {
		return nil, err
	}
	w.all = append(w.all, one)
	printed := func() (bool, error) { return link.MatchString(one.server.Out.String()), nil }
	if err := binary.Until(ctx, "the sign-in link is printed", printed); err != nil {
		return nil, err
	}
	key, err := one.server.AdminKey()
	return map[string]any{
		"id": len(w.all) - 1, "url": one.server.URL, "key": key, "link": link.FindString(one.server.Out.String()),
		"endpoint": storage.URL(), "bucket": harbour, "accessKey": s3.DefaultAccessKeyID, "secret": s3.DefaultSecretAccessKey,
	}, err
}

func (w *world) do(ctx context.Context, what string, o order) (any, error) {
	switch what {
	case "put":
		content := []byte(o.Content)
		if o.Size > 0 {
			content = []byte(strings.Repeat(o.Key+"\n", o.Size/(len(o.Key)+1)+1)[:o.Size])
		}
		return nil, w.storage.Put(harbour, o.Key, content, s3.PutOptions{})
	case "remove":
		return nil, w.storage.Delete(harbour, o.Key)
	case "fault":
		return nil, w.fault(o)
	case "clear":
		w.storage.ClearFaults()
		w.release()
		return nil, nil
	case "receive":
		w.mu.Lock()
		defer w.mu.Unlock()
		w.hooks = o.Status
		return w.heard, nil
	case "connections":
		return nil, w.connections(ctx, o.Count)
	}
	return nil, errors.New("no such order: " + what)
}

// fault scripts one of the storage's faults; hold keeps requests until clear.
func (w *world) fault(o order) error {
	var action s3.Action
	switch o.Action {
	case "hold":
		until := make(chan struct{})
		w.mu.Lock()
		w.held = append(w.held, until)
		w.mu.Unlock()
		action = s3.Wait(until)
	case "delay":
		action = s3.Delay(time.Duration(o.Millis) * time.Millisecond)
	case "error":
		action = s3.InternalError()
	case "denied":
		action = s3.ReplyCode("AccessDenied")
	case "disabled":
		action = s3.ReplyCode("InvalidAccessKeyId")
	default:
		return errors.New("no such fault: " + o.Action)
	}
	m := s3.Match{Key: o.Key}
	if o.Operation != "" {
		m.Operations = []s3.Operation{s3.Operation(o.Operation)}
	}
	w.storage.Inject(s3.Fault{Match: m, After: o.After, Times: o.Times, Action: action})
	return nil
}

func (w *world) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.held {
		close(c)
	}
	w.held = nil
}

// hook receives webhooks.
func (w *world) hook(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = append(w.heard, string(body))
	rw.WriteHeader(w.hooks)
}

// connections makes many, untested, some at a time.
func (w *world) connections(ctx context.Context, count int) error {
	key, err := w.server.AdminKey()
	if err != nil {
		return err
	}
	api := binary.API{URL: w.server.URL, Key: key}
	config := binary.S3{Endpoint: w.storage.URL(), Region: "us-east-1", KeyID: s3.DefaultAccessKeyID, Secret: s3.DefaultSecretAccessKey}.Config()
	const at = 8
	errs := make(chan error, at)
	for worker := range at {
		go func() {
			for i := worker; i < count; i += at {
				_, err := api.Want(ctx, http.MethodPost, "/v1/organizations/connections", binary.Object{
					"name": fmt.Sprintf("Storage %05d", i), "provider_type": "s3", "provider_config": config, "test_before_save": false,
				})
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range at {
		err = errors.Join(err, <-errs)
	}
	return err
}
