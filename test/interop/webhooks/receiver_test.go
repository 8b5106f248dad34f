//go:build interop

package webhooks

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mooring/test/binary"
)

// pythonEnv names a Python that has the reference library.
const pythonEnv = "MOORING_TEST_WEBHOOKS_PYTHON"

// receiver is receiver.py, which can be killed and started again.
type receiver struct {
	t       *testing.T
	python  string
	dir     string
	port    string
	cmd     *exec.Cmd
	stderr  *bytes.Buffer
	waiting chan struct{} // closed when the process has ended
}

// orders say how the receiver behaves from its next request on.
type orders struct {
	Secrets []string `json:"secrets"`
	Fail    float64  `json:"fail"` // the share of requests that fail
	Hang    int      `json:"hang"` // requests of a process that get no answer
}

// entry is what the receiver says of a request.
type entry struct {
	ID         string        `json:"id"`
	Signatures int           `json:"signatures"`
	Message    binary.Object `json:"message"`
	Refused    string        `json:"refused"` // the message that the library did not verify
	Forged     string        `json:"forged"`  // what was changed of a message that the library verified all the same
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, python: os.Getenv(pythonEnv), dir: t.TempDir(), port: "0"}
	if r.python == "" {
		t.Fatalf("%s is not set: run make interop", pythonEnv)
	}
	r.order(orders{})
	r.start()
	t.Cleanup(r.kill)
	return r
}

func (r *receiver) path(name string) string { return filepath.Join(r.dir, name) }

func (r *receiver) url() string { return "http://127.0.0.1:" + r.port + "/hook" }

func (r *receiver) start() {
	r.t.Helper()
	r.cmd = exec.Command(r.python, "-E", "-s", "-B", "receiver.py", r.port, r.path("orders.json"), r.path("journal"))
	r.cmd.Env = binary.Env(r.dir)
	r.stderr = &bytes.Buffer{}
	r.cmd.Stderr = r.stderr
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = r.cmd.Wait()
		r.t.Fatalf("the receiver does not start: %v\n%s", err, r.stderr)
	}
	r.port = strings.TrimSpace(line)
	r.waiting = make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, stdout)
		_ = r.cmd.Wait()
		close(r.waiting)
	}()
}

// kill ends the receiver, with what it is about to answer.
func (r *receiver) kill() {
	_ = r.cmd.Process.Kill()
	<-r.waiting
}

// order says how to behave from now on.
func (r *receiver) order(o orders) {
	r.t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		r.t.Fatal(err)
	}
	next := r.path("orders.next")
	if err := os.WriteFile(next, raw, 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(next, r.path("orders.json")); err != nil {
		r.t.Fatal(err)
	}
}

// journal is what all its processes have written.
func (r *receiver) journal() (all []entry, err error) {
	raw, err := os.ReadFile(r.path("journal"))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for line := range bytes.Lines(raw) {
		if !bytes.HasSuffix(line, []byte("\n")) { // it is being written
			break
		}
		var e entry
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.UseNumber()
		if err := dec.Decode(&e); err != nil {
			return nil, fmt.Errorf("the receiver's journal: %w", err)
		}
		all = append(all, e)
	}
	return all, nil
}
