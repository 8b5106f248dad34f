package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"

	"mooring/test/interop/s3server"
)

// What takes memory is done by a process of its own: on Linux a child's peak
// memory begins with that of the process which started it.

// taskEnv makes this program do one task and end.
const taskEnv = "MOORING_BENCH_TASK"

type task struct {
	Do     string // "upload" or "check"
	Set    dataSet
	Root   string // of what is checked
	Server *s3server.Server
}

func (b *bench) delegate(ctx context.Context, t task) error {
	t.Server = b.server
	raw, err := json.Marshal(t)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), taskEnv+"="+string(raw))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", t.Do, err, out)
	}
	return nil
}

func perform(ctx context.Context, raw string) error {
	var t task
	if err := json.Unmarshal([]byte(raw), &t); err != nil {
		return err
	}
	if t.Do == "upload" {
		return t.Set.upload(ctx, t.Server)
	}
	return t.Set.check(t.Root)
}
