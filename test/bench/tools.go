package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"mooring/test/binary"
)

// remote is where objects are fetched from.
type remote struct {
	URL, Region, AccessKey, SecretKey, Bucket string
}

// tool brings a bucket to a folder. Called again for the same folder it finds
// nothing to do.
type tool struct {
	name string
	// fetch returns where the bucket's keys are found as files; "": it only lists.
	fetch func(ctx context.Context, b *bench, from remote, to string) (root string, s sample, err error)
}

// parallel is how many objects the tools that leave it open transfer at once:
// what mooring does by default.
const parallel = "16"

func rclone(more ...string) func(context.Context, *bench, remote, string) (string, sample, error) {
	return func(ctx context.Context, b *bench, from remote, to string) (string, sample, error) {
		args := append([]string{
			"copy", ":s3:" + from.Bucket, to, "--s3-provider", "Other", "--s3-endpoint", from.URL, "--s3-region", from.Region, "--s3-env-auth",
			"--config", filepath.Join(b.dir, "rclone.conf"), "--transfers", parallel, "--checkers", parallel, "--fast-list",
		}, more...)
		s, err := b.measure(ctx, from, "rclone", args...)
		return to, s, err
	}
}

func s5cmdSync(ctx context.Context, b *bench, from remote, to string) (string, sample, error) {
	s, err := b.measure(ctx, from, "s5cmd", "--endpoint-url", from.URL, "--log", "error", "sync", "s3://"+from.Bucket+"/*", to+"/")
	return to, s, err
}

func s5cmdList(ctx context.Context, b *bench, from remote, _ string) (string, sample, error) {
	s, err := b.measure(ctx, from, "s5cmd", "--endpoint-url", from.URL, "ls", "s3://"+from.Bucket+"/*")
	return "", s, err
}

// fetchingTools bring everything.
func fetchingTools() []tool {
	return []tool{{"mooring", fetchMooring}, {"s5cmd", s5cmdSync}, {"rclone", rclone()}, {"rclone --checksum", rclone("--checksum")}}
}

// comparingTools look for what has changed as fast as they can.
func comparingTools() []tool {
	return []tool{{"mooring", fetchMooring}, {"s5cmd", s5cmdSync}, {"rclone", rclone("--use-server-modtime", "--update")}}
}

// listingTools bring nothing.
func listingTools() []tool {
	return []tool{{"mooring", listMooring}, {"s5cmd ls", s5cmdList}}
}

// without leaves out those that the user goes without.
func (b *bench) without(tools []tool) []tool {
	return slices.DeleteFunc(tools, func(t tool) bool {
		program, _, _ := strings.Cut(t.name, " ")
		return slices.Contains(b.missing, program)
	})
}

// measure runs a program to its end. What it prints is not kept: a list may be long.
func (b *bench) measure(ctx context.Context, from remote, name string, args ...string) (sample, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(b.tools, name), args...)
	cmd.Env = append(binary.Env(b.dir), "AWS_ACCESS_KEY_ID="+from.AccessKey, "AWS_SECRET_ACCESS_KEY="+from.SecretKey, "AWS_REGION="+from.Region)
	var said binary.Output
	cmd.Stderr = &said
	began := time.Now()
	err := cmd.Run()
	wall := time.Since(began)
	if err != nil {
		return sample{}, fmt.Errorf("%w: %s", err, said.String())
	}
	s := sample{wall: wall, user: cmd.ProcessState.UserTime(), system: cmd.ProcessState.SystemTime()}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.memory = u.Maxrss << 10
	}
	return s, nil
}

// fetched lets a tool fetch once and proves what arrived.
func (b *bench) fetched(ctx context.Context, t tool, set dataSet, from remote, to string) (sample, error) {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return sample{}, err
	}
	root, s, err := t.fetch(ctx, b, from, to)
	if err == nil && root != "" {
		err = b.delegate(ctx, task{Do: "check", Set: set, Root: root})
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w", t.name, err)
	}
	return s, nil
}
