// Package s3server runs versitygw, an S3 server that is not ours, for tests and
// benchmarks that want a second opinion on the protocol. It holds objects as
// files in a folder.
package s3server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Env names the variable that holds the path of the versitygw binary.
const Env = "MOORING_TEST_VERSITYGW"

const (
	startTimeout = 30 * time.Second
	attempts     = 5
	accessLog    = "access.log"
)

// Server is a running S3 server with one root user and no buckets.
type Server struct {
	URL       string // http://127.0.0.1:port; buckets are in the path
	AccessKey string
	SecretKey string
	Region    string

	dir string
	p   *process

	mu       sync.Mutex
	logged   int64          // bytes of the access log that were read
	requests map[string]int // found in them, by operation
}

// Start runs the versitygw binary on a free loopback port, with keys of its
// own, and returns once it answers. It and its objects go with the test. A
// binary that is missing or does not start fails the test.
func Start(tb testing.TB, bin string) *Server {
	tb.Helper()
	s, err := Run(bin, tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Errorf("s3server: stop: %v", err)
		}
	})
	return s
}

// Run is Start outside of tests: objects are kept below dir.
func Run(bin, dir string) (*Server, error) {
	if bin == "" {
		return nil, fmt.Errorf("s3server: no versitygw binary: run `make interop`, or `tools/install versitygw` and set %s", Env)
	}
	root, sidecar := filepath.Join(dir, "root"), filepath.Join(dir, "sidecar")
	for _, d := range []string{root, sidecar} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("s3server: %w", err)
		}
	}
	backend := []string{"posix", root}
	var err error
	for range attempts {
		s := &Server{AccessKey: "AKIA" + rand.Text()[:16], SecretKey: rand.Text() + rand.Text(), Region: "eu-test-1", dir: dir, requests: map[string]int{}}
		if err = s.run(bin, backend); err == nil {
			return s, nil
		}
		switch {
		case strings.Contains(err.Error(), "xattr"): // the file system has no extended attributes
			backend = []string{"posix", "--sidecar", sidecar, root}
		case strings.Contains(err.Error(), "address already in use"):
		default:
			return nil, fmt.Errorf("s3server: %w", err)
		}
	}
	return nil, fmt.Errorf("s3server: did not start in %d attempts: %w", attempts, err)
}

// run starts the binary on a free port and waits until it answers there.
// Connections are kept alive, as any real server does.
func (s *Server) run(bin string, backend []string) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	s.URL = "http://" + addr
	health := "/" + rand.Text() // only our own process answers it, whoever else may have taken the port
	args := append([]string{
		"--quiet", "--keep-alive", "--port", addr, "--region", s.Region, "--health", health, "--access-log", filepath.Join(s.dir, accessLog),
	}, backend...)
	p, err := start(bin, args, []string{
		"ROOT_ACCESS_KEY_ID=" + s.AccessKey,
		"ROOT_SECRET_ACCESS_KEY=" + s.SecretKey,
		"TMPDIR=" + os.TempDir(),
	})
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-p.done:
			return fmt.Errorf("%s exited at once (%w): %s", bin, p.err, p.out.String())
		default:
		}
		if answers(s.URL + health) {
			s.p = p
			return nil
		}
	}
	err = fmt.Errorf("%s does not answer on %s after %s: %s", bin, addr, startTimeout, p.out.String())
	return errors.Join(err, p.stop())
}

// Stop ends the server. Its objects stay.
func (s *Server) Stop() error { return s.p.stop() }

// Requests counts the requests of an operation so far, as the access log names
// it, for instance s3_GetObject.
func (s *Server) Requests(operation string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := os.Open(filepath.Join(s.dir, accessLog))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Seek(s.logged, io.SeekStart); err != nil {
		return 0, err
	}
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadString('\n')
		if err != nil { // the last line is still being written
			return s.requests[operation], nil
		}
		s.logged += int64(len(line))
		if fields := strings.Fields(line); len(fields) > operationField {
			s.requests[fields[operationField]]++
		}
	}
}

// operationField is where a line of the access log names the operation.
const operationField = 7

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func answers(url string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// process is a child that is waited for from the start, so that its end is seen.
type process struct {
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read after done
}

func start(bin string, args, env []string) (*process, error) {
	p := &process{cmd: exec.Command(bin, args...), done: make(chan struct{})}
	p.cmd.Env = env
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop kills the process: it would wait for the connections that its clients
// keep open, and what it holds is thrown away.
func (p *process) stop() error {
	err := p.cmd.Process.Kill()
	<-p.done
	if errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("it had ended before (%w): %s", errors.Join(err, p.err), p.out.String())
	}
	return err
}

// output gathers what a process prints while others may read it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
