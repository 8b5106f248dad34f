package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"mooring/emulator/s3"
)

// What takes memory or time of the processor is done by processes of their own:
// on Linux a child's peak memory begins with that of the process which started it.

// taskEnv makes this program do one task and end.
const taskEnv = "MOORING_BENCH_TASK"

type task struct {
	Do     string // "upload", "lay", "check", "emulate" or "throttle"
	Set    dataSet
	Root   string // of what is laid or checked
	Remote remote // of what is uploaded to or throttled
	Rate   int    // bytes a second
	Each   bool   // connection has the rate for itself
}

func (t task) command(ctx context.Context) (*exec.Cmd, error) {
	raw, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), taskEnv+"="+string(raw))
	return cmd, nil
}

// delegate does a task to its end.
func (b *bench) delegate(ctx context.Context, t task) error {
	cmd, err := t.command(ctx)
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", t.Do, err, out)
	}
	return nil
}

// background starts a task that serves until it is stopped, and returns its
// address.
func (b *bench) background(ctx context.Context, t task) (url string, stop func() error, err error) {
	cmd, err := t.command(ctx)
	if err != nil {
		return "", nil, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error { return errors.Join(in.Close(), cmd.Wait()) }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("%s: %w", t.Do, err), stop())
	}
	return strings.TrimSpace(line), stop, nil
}

func perform(ctx context.Context, raw string) error {
	var t task
	if err := json.Unmarshal([]byte(raw), &t); err != nil {
		return err
	}
	switch t.Do {
	case "upload":
		return t.Set.upload(ctx, t.Remote)
	case "lay":
		return t.Set.lay(t.Root)
	case "check":
		return t.Set.check(t.Root)
	case "emulate":
		return t.emulate()
	case "throttle":
		return t.throttle(ctx)
	}
	return fmt.Errorf("no such task: %s", t.Do)
}

// untilStopped tells where a task serves and waits until nobody needs it.
func untilStopped(url string) {
	fmt.Println(url)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// emulated starts the emulator with a generated data set, which it lists from
// memory.
func (b *bench) emulated(ctx context.Context, set dataSet) (remote, func() error, error) {
	url, stop, err := b.background(ctx, task{Do: "emulate", Set: set})
	return remote{URL: url, Region: "us-east-1", AccessKey: s3.DefaultAccessKeyID, SecretKey: s3.DefaultSecretAccessKey, Bucket: set.Name}, stop, err
}
