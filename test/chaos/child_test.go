//go:build unix

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// childEnv makes the test binary a worker.
const childEnv = "MOORING_TEST_CHAOS_WORKER"

func TestMain(m *testing.M) {
	if raw := os.Getenv(childEnv); raw != "" {
		var s setup
		err := json.Unmarshal([]byte(raw), &s)
		if err == nil {
			err = s.work(context.Background())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// hook counts steps and dies at the one that is meant.
func (k kill) hook() func(string) {
	if k.Step == "" {
		return nil
	}
	var mu sync.Mutex
	met := 0
	return func(step string) {
		if step != k.Step {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if met++; met == k.Nth {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until the signal arrives, nobody passes this step
		}
	}
}

// start starts a worker as a child.
func (s setup) start(t *testing.T) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(self)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(raw))
	c.log, err = os.CreateTemp(s.Dir, "worker-*.log")
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

type child struct {
	cmd *exec.Cmd
	log *os.File
}

// patience is how long a worker may take, on the slowest machine.
const patience = 2 * time.Minute

// wait reports whether the worker was killed. One that failed, or does not come
// to an end, fails the test with its log.
func (c *child) wait(t *testing.T) (killed bool) {
	t.Helper()
	stuck := time.AfterFunc(patience, func() { _ = c.cmd.Process.Kill() })
	err := c.cmd.Wait()
	_ = c.log.Close()
	if !stuck.Stop() {
		err = fmt.Errorf("it had not ended after %s", patience)
	} else if ws, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		out, _ := os.ReadFile(c.log.Name())
		t.Fatalf("a worker failed: %v\n%s", err, out)
	}
	return false
}
