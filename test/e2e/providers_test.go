package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mooring/test/binary"
)

const connections = "/v1/organizations/connections"

// connectCloud makes a job of a cloud; its first run begins at once.
func (s *server) connectCloud(c *cloud) *job {
	s.t.Helper()
	j := &job{server: s}
	j.connection = binary.Text(s.expect(http.StatusOK, http.MethodPost, connections, c.request("cloud", nil)), "connection_id")
	j.bucket = must(s.Bucket(s.ctx, "media"))(s.t)
	j.sync = must(s.Sync(s.ctx, j.bucket, j.connection, c.path, object{"delete_policy": "delete", "max_delete_percent": 100}))(s.t)
	return j
}

// restarted is the job of a server that was ended and runs anew.
func (j *job) restarted(c *cloud) {
	j.t.Helper()
	j.server = StartAt(j.t, j.Dir, c.flags()...)
}

// equal compares what the bucket holds with the source: paths, contents, files.
func (j *job) equal(c *cloud) {
	j.t.Helper()
	got := map[string]string{}
	for _, path := range j.paths() {
		got[path] = j.content(path)
	}
	if !maps.Equal(got, c.held) {
		j.t.Errorf("the bucket holds %v, want %v", got, c.held)
	}
	if n := len(files(j.t, j.server)); n != len(c.held) {
		j.t.Errorf("%d files, want %d", n, len(c.held))
	}
}

// ledger is what a run has to say that saw so many changes and deletions.
func (c *cloud) ledger(changed, deleted int64) map[string]int64 {
	if c.feed {
		return map[string]int64{"discovered": changed, "synced": changed, "deleted": deleted}
	}
	n := int64(len(c.held))
	return map[string]int64{"discovered": n, "synced": changed, "unchanged": n - changed, "deleted": deleted}
}

// An account of each kind is connected, synced over a restart, and archived.
func TestProviders(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(clouds)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clouds[name](t)
			for name, content := range map[string]string{"a.txt": "first", "b c.txt": "second", "ü 100%.txt": "third", "it's.txt": "fourth"} {
				c.add(name, content)
			}
			s := Start(t, c.flags()...)
			turnedAway(s, c)
			j := s.connectCloud(c)
			one := connections + "/" + j.connection
			hidden(s, c, one)
			if got := s.expect(http.StatusOK, http.MethodPost, one+"/test", nil); got["success"] != true {
				t.Errorf("test: %v", got)
			}
			browsed(s, c, one)
			j.want(j.pass(), c.ledger(4, 0))
			j.equal(c)

			c.add("a.txt", "first, changed")
			c.add("new.txt", "fifth")
			c.take("b c.txt")
			j.want(j.again(), c.ledger(2, 1))
			j.equal(c)

			j.stop()
			c.add("new.txt", "fifth, changed")
			c.take("it's.txt")
			j.restarted(c)
			j.want(j.again(), c.ledger(1, 1)) // a cursor that had died would show as a whole pass
			j.equal(c)

			kept(j, c, one)
			c.feed = c.feed && !c.relists
			c.add("last.txt", "sixth")
			j.want(j.again(), c.ledger(1, 0))
			j.equal(c)
			archived(j, c, one)
		})
	}
}

// turnedAway tries each wrong secret.
func turnedAway(s *server, c *cloud) {
	s.t.Helper()
	for _, w := range c.wrong {
		out := must(s.Do(s.ctx, http.MethodPost, connections, c.request("refused", w.edit)))(s.t)
		e, _ := out.Object["error"].(object)
		if message := binary.Text(e, "message"); out.Status != http.StatusBadRequest || !strings.Contains(message, w.advice) {
			s.t.Errorf("a wrong %v: %d %q, want 400 with %q", slices.Collect(maps.Keys(w.edit)), out.Status, message, w.advice)
		}
		for value, field := range c.secrets() {
			if form, found := canaryOf(field, value).in(out.Raw); found {
				s.t.Errorf("the answer to a wrong %v has the %s (%s)", slices.Collect(maps.Keys(w.edit)), field, form)
			}
		}
	}
	out := must(s.Do(s.ctx, http.MethodGet, connections+"/refused", nil))(s.t)
	if out.Status != http.StatusNotFound {
		s.t.Errorf("a refused connection is there: %d", out.Status)
	}
}

// canaryOf is a secret to be searched for. Of a PEM file it is a line of its own.
func canaryOf(field, value string) canary {
	if lines := strings.Split(strings.TrimSpace(value), "\n"); len(lines) > 8 {
		value = lines[len(lines)/2]
	}
	return newCanary(field, value)
}

const marker = "****************REDACTED****************"

// hidden checks that a marker stands for each sensitive field.
func hidden(s *server, c *cloud, one string) {
	s.t.Helper()
	config, _ := s.expect(http.StatusOK, http.MethodGet, one, nil)["provider_config"].(object)
	shown, _ := config["credentials"].(object)
	sent, _ := c.config["credentials"].(object)
	for _, field := range sensitive {
		if _, ok := sent[field]; ok && shown[field] != marker {
			s.t.Errorf("%s is shown as %v", field, shown[field])
		}
	}
}

// browsed looks at the top, where there has to be something, and at what is in
// the source's folder.
func browsed(s *server, c *cloud, one string) {
	s.t.Helper()
	below := func(path string) (names []string) {
		out := s.expect(http.StatusOK, http.MethodGet, one+"/browse?path="+url.QueryEscape(path), nil)
		results, _ := out["results"].([]any)
		for _, r := range results {
			item, _ := r.(object)
			names = append(names, binary.Text(item, "name"))
		}
		slices.Sort(names)
		return names
	}
	if len(below("/")) == 0 {
		s.t.Error("nothing is to be seen at the top")
	}
	if got, want := below(c.path), slices.Sorted(maps.Keys(c.held)); c.feed && !slices.Equal(got, want) {
		s.t.Errorf("in %s there are %v, want %v", c.path, got, want)
	}
}

// kept changes a connection's configuration as a client does that has read it.
func kept(j *job, c *cloud, one string) {
	j.t.Helper()
	config, _ := j.expect(http.StatusOK, http.MethodGet, one, nil)["provider_config"].(object)
	maps.Copy(config, c.harmless)
	changed, _ := j.expect(http.StatusOK, http.MethodPatch, one, object{"provider_config": config})["provider_config"].(object)
	for field, want := range c.harmless {
		got, _ := json.Marshal(changed[field])
		if text, _ := json.Marshal(want); string(text) != string(got) {
			j.t.Errorf("%s is %s after the change, want %s", field, got, text)
		}
	}
	hidden(j.server, c, one)
	for _, w := range c.wrong { // a test that fails saves nothing
		j.expect(http.StatusBadRequest, http.MethodPatch, one, object{"provider_config": c.request("", w.edit)["provider_config"]})
	}
	if got := j.expect(http.StatusOK, http.MethodPost, one+"/test", nil); got["success"] != true {
		j.t.Errorf("test with kept secrets: %v", got)
	}
}

// archived ends a connection for good.
func archived(j *job, c *cloud, one string) {
	j.t.Helper()
	j.expect(http.StatusOK, http.MethodDelete, one, nil)
	if got := j.expect(http.StatusOK, http.MethodGet, one, nil); got["status"] != "ARCHIVED" || got["credentials_destroyed"] != true {
		j.t.Errorf("archived: %v", got)
	}
	hidden(j.server, c, one)
	before := c.requests()
	j.expect(http.StatusConflict, http.MethodPost, one+"/test", nil)
	j.expect(http.StatusConflict, http.MethodGet, one+"/browse", nil)
	j.expect(http.StatusConflict, http.MethodPatch, one, object{"status": "ACTIVE"})
	if n := c.requests() - before; n != 0 {
		j.t.Errorf("an archived connection was contacted %d times", n)
	}
}
