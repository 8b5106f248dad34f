package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

// hook is a webhook and its receiver, which takes what is signed.
type hook struct {
	*server
	id, secret string
	receiver   *httptest.Server

	mu    sync.Mutex
	list  []object        // what it took, in order of arrival
	known map[string]bool // ids
	again int             // messages that came again
}

// webhook makes a webhook of all events.
func (s *server) webhook() *hook {
	s.t.Helper()
	h := &hook{server: s, known: map[string]bool{}}
	h.receiver = httptest.NewServer(http.HandlerFunc(h.take))
	s.t.Cleanup(h.receiver.Close)
	silent := s.API
	silent.Seen = nil // this answer alone shows the secret
	made := must(silent.Want(s.ctx, http.MethodPost, "/v1/webhooks", object{"url": h.receiver.URL}))(s.t)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.id, h.secret = binary.Text(made, "webhook_id"), binary.Text(made, "secret")
	return h
}

func (h *hook) take(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	id := r.Header.Get("Webhook-Id")
	var m object
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	want := signature(h.secret, id, r.Header.Get("Webhook-Timestamp"), body)
	if dec.Decode(&m) != nil || m["id"] != id || !slices.Contains(strings.Fields(r.Header.Get("Webhook-Signature")), want) {
		h.t.Errorf("a message that is not signed as it should be: %s %v", body, r.Header)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if h.known[id] { // at least once
		h.again++
		return
	}
	h.known[id] = true
	h.list = append(h.list, m)
}

// signature is that of Standard Webhooks, version 1.
func signature(secret, id, timestamp string, body []byte) string {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (h *hook) took() []object {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.list)
}

// of are the data of the messages of a type that were taken, by what they are about.
func (h *hook) of(typ string) map[string]object {
	out := map[string]object{}
	for _, m := range h.took() {
		if m["type"] == typ {
			data, _ := m["data"].(object)
			out[subject(data)] = data
		}
	}
	return out
}

func subject(data object) string {
	for _, field := range []string{"object_id", "sync_config_id", "connection_id"} {
		if v := binary.Text(data, field); v != "" {
			return v
		}
	}
	return ""
}

// wait waits until a message of a type is about something, and returns its data.
func (h *hook) wait(typ, about string) (data object) {
	h.t.Helper()
	err := binary.Until(h.ctx, typ+" is told", func() (ok bool, _ error) {
		data, ok = h.of(typ)[about]
		return ok, nil
	})
	if err != nil {
		h.t.Fatalf("%v: the receiver got %v", err, h.took())
	}
	return data
}

func TestWebhookIsToldWhatHappens(t *testing.T) {
	from := newStorage(t, s3.Options{})
	for _, name := range []string{"a.txt", "b.txt", "c/d.txt", "ü %.txt", "e.txt"} {
		from.put(name, "the content of "+name)
	}
	s := Start(t)
	h := s.webhook()
	j := s.connect(from, sourceBucket, object{"delete_policy": "delete", "max_delete_percent": 100})
	j.want(j.pass(), map[string]int64{"discovered": 5, "synced": 5})
	for _, path := range j.paths() {
		o := j.object(path)
		data := h.wait("object.created", binary.Text(o, "object_id"))
		want := object{"source_path": path, "bucket_id": j.bucket, "connection_id": j.connection, "sync_config_id": j.sync}
		for field, v := range want {
			if data[field] != v {
				t.Errorf("%s of %s is %v, want %v", field, path, data[field], v)
			}
		}
	}
	for _, typ := range []string{"sync.started", "sync.completed"} {
		if data := h.wait(typ, j.sync); data["sync_run_id"] == "" || data["bucket_id"] != j.bucket {
			t.Errorf("%s: %v", typ, data)
		}
	}

	changed, gone := binary.Text(j.object("a.txt"), "object_id"), binary.Text(j.object("b.txt"), "object_id")
	from.put("a.txt", "another content")
	if err := from.Delete(sourceBucket, "b.txt"); err != nil {
		t.Fatal(err)
	}
	j.want(j.again(), map[string]int64{"discovered": 4, "synced": 1, "unchanged": 3, "deleted": 1})
	for typ, o := range map[string]string{"object.updated": changed, "object.deleted": gone} {
		now, before := h.wait(typ, o), h.of("object.created")[o]
		if binary.Int(now, "revision") <= binary.Int(before, "revision") || binary.Int(before, "revision") == 0 {
			t.Errorf("%s has revision %v after %v", typ, now["revision"], before["revision"])
		}
	}
	j.want(j.again(), map[string]int64{"discovered": 4, "unchanged": 4}) // raises nothing

	s.expect(http.StatusOK, http.MethodPatch, "/v1/organizations/connections/"+j.connection, object{"status": "SUSPENDED"})
	if data := h.wait("connection.suspended", j.connection); data["suspended_by"] != "user" || data["name"] != "storage" {
		t.Errorf("suspended: %v", data)
	}
	got, types := h.took(), map[string]int{}
	for _, m := range got {
		types[binary.Text(m, "type")]++
	}
	want := map[string]int{"object.created": 5, "object.updated": 1, "object.deleted": 1, "sync.started": 2, "sync.completed": 2, "connection.suspended": 1}
	if !reflect.DeepEqual(types, want) {
		t.Errorf("the receiver took %v, want %v", types, want)
	}
	same(t, s.events(len(got)), got)
}

// events reads events with the command that follows them, from the oldest on.
func (s *server) events(n int) (all []object) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, mooring, "events", "--after", "0")
	cmd.Env = append(binary.Env(filepath.Dir(s.Dir)), "MOORING_DATA_DIR="+s.Dir, "MOORING_URL="+s.Server.URL)
	out := must(cmd.StdoutPipe())(s.t)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	for in := bufio.NewScanner(out); len(all) < n && in.Scan(); {
		var m object
		dec := json.NewDecoder(bytes.NewReader(in.Bytes()))
		dec.UseNumber()
		if err := dec.Decode(&m); err != nil {
			s.t.Fatalf("%s: %v", in.Bytes(), err)
		}
		all = append(all, m)
	}
	cancel()
	return all
}

// same compares the events that were followed with those that were received.
func same(t *testing.T, followed, received []object) {
	t.Helper()
	last, byID := int64(0), map[string]object{}
	for _, m := range received {
		byID[binary.Text(m, "id")] = m
	}
	for _, m := range followed {
		if sequence := binary.Int(m, "sequence"); sequence < last {
			t.Errorf("event %d comes after event %d", sequence, last)
		} else {
			last = sequence
		}
		if !reflect.DeepEqual(m, byID[binary.Text(m, "id")]) {
			t.Errorf("the stream tells %v, the webhook was sent %v", m, byID[binary.Text(m, "id")])
		}
		delete(byID, binary.Text(m, "id"))
	}
	if len(byID) > 0 {
		t.Errorf("the stream does not tell %v", byID)
	}
}

func TestWebhookToAPrivateAddressIsRefused(t *testing.T) {
	s := Start(t) // which may reach 127.0.0.0/8 alone
	asked := make(chan struct{}, 1)
	inside := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil { // where there is IPv6
		_ = inside.Listener.Close()
		inside.Listener = l
	}
	inside.Start()
	t.Cleanup(inside.Close)
	addresses := []string{
		"http://10.0.0.1/hook", "https://192.168.1.1/", "http://[fd00::1]:8080/", "http://[::ffff:10.0.0.1]/", "http://169.254.169.254/latest/meta-data/",
	}
	if strings.Contains(inside.URL, "[::1]") {
		addresses = append(addresses, inside.URL)
	}
	for _, address := range addresses {
		out := s.expect(http.StatusUnprocessableEntity, http.MethodPost, "/v1/webhooks", object{"url": address})
		raw, _ := json.Marshal(out)
		if !strings.Contains(address, "169.254.") && !bytes.Contains(raw, []byte("--allow-network")) {
			t.Errorf("%s is refused without saying how to allow it: %s", address, raw)
		}
	}
	// What the address of a webhook becomes later is looked at when it is sent to.
	h := s.webhook()
	redirect := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusTemporaryRedirect))
	t.Cleanup(redirect.Close)
	s.expect(http.StatusUnprocessableEntity, http.MethodPatch, "/v1/webhooks/"+h.id, object{"url": addresses[0]})
	s.expect(http.StatusOK, http.MethodPatch, "/v1/webhooks/"+h.id, object{"url": redirect.URL})
	got := s.expect(http.StatusOK, http.MethodPost, "/v1/webhooks/"+h.id+"/test", nil)
	if got["success"] != false || binary.Int(got, "status") != http.StatusTemporaryRedirect {
		t.Errorf("a redirect: %v", got)
	}
	if strings.Contains(inside.URL, "[::1]") { // allowed when it was given, and no longer
		s.stop()
		s = StartAt(t, s.Dir, "--allow-network", "::1/128")
		s.expect(http.StatusOK, http.MethodPatch, "/v1/webhooks/"+h.id, object{"url": inside.URL})
		s.stop()
		s = StartAt(t, s.Dir)
		got = s.expect(http.StatusOK, http.MethodPost, "/v1/webhooks/"+h.id+"/test", nil)
		if got["success"] != false || !strings.Contains(binary.Text(got, "message"), "--allow-network") {
			t.Errorf("an address that is no longer allowed: %v", got)
		}
	}
	select {
	case <-asked:
		t.Error("a private address was sent to")
	default:
	}
}

// The signing secret is in one answer, and nowhere else in any form.
func TestNoWebhookSecretGetsOut(t *testing.T) {
	from := newStorage(t, s3.Options{})
	from.put("a.txt", "first")
	s := Start(t)
	var out seen
	s.Seen = out.add
	h := s.webhook()
	silent := s.API
	silent.Seen = nil
	path := "/v1/webhooks/" + h.id
	rotated := binary.Text(must(silent.Want(s.ctx, http.MethodPost, path+"/rotate", nil))(t), "secret")
	var canaries []canary
	for name, secret := range map[string]string{"the secret": h.secret, "the rotated secret": rotated} {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil || len(raw) < 24 {
			t.Fatalf("%s is %d bytes: %v", name, len(raw), err)
		}
		bare := strings.TrimPrefix(secret, "whsec_")
		canaries = append(canaries, newCanary(name, secret), newCanary(name+" without its prefix", bare), newCanary("the key of "+name, string(raw)))
	}
	j := s.connect(from, sourceBucket, nil)
	j.pass()
	h.wait("object.created", binary.Text(j.object("a.txt"), "object_id"))
	s.expect(http.StatusOK, http.MethodPost, path+"/test", nil)
	h.receiver.Close() // from now on deliveries fail
	s.expect(http.StatusOK, http.MethodPost, path+"/test", nil)
	from.put("b.txt", "second")
	j.again()
	err := binary.Until(s.ctx, "the failure is noted", func() (bool, error) {
		return binary.Text(s.expect(http.StatusOK, http.MethodGet, path, nil), "last_error") != "", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/v1/webhooks", path + "/deliveries", "/v1/organizations/audit/logs?limit=1000"} {
		s.expect(http.StatusOK, http.MethodGet, p, nil)
	}
	s.expect(http.StatusOK, http.MethodPatch, path, object{"enabled": true, "description": "still here"})
	for _, args := range [][]string{{"webhook", "get", h.id}, {"webhook", "list", "--json"}, {"webhook", "test", h.id}, {"webhook", "deliveries", h.id}} {
		r := s.cli("", args...)
		out.add([]byte(r.Stdout + r.Stderr))
	}
	for _, m := range s.events(4) {
		raw, _ := json.Marshal(m)
		out.add(raw)
	}
	for _, c := range canaries {
		search(t, c, s.Dir, s.Log.String()+s.Out.String(), out.all)
	}
	s.stop()
	for _, c := range canaries {
		search(t, c, s.Dir, s.Log.String(), nil)
	}
	if !bytes.Contains(out.all, []byte(h.id)) {
		t.Error("no answer names the webhook: are they gathered?")
	}
}
