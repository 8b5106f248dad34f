// Package s3server runs versitygw, an S3 server that is not ours, for tests
// that want a second opinion on the protocol. It holds objects as files in a
// folder that goes with the test.
package s3server

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Env names the variable that holds the path of the versitygw binary.
const Env = "MOORING_TEST_VERSITYGW"

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 10 * time.Second
	attempts     = 5
)

// Server is a running S3 server with one root user and no buckets.
type Server struct {
	URL       string // http://127.0.0.1:port; buckets are in the path
	AccessKey string
	SecretKey string
	Region    string
}

// Start runs the versitygw binary on a free loopback port, with keys of its
// own, and returns once it answers. It is stopped when the test ends. A binary
// that is missing or does not start fails the test.
func Start(tb testing.TB, bin string) *Server {
	tb.Helper()
	if bin == "" {
		tb.Fatalf("s3server: no versitygw binary: run `make interop`, or `tools/install versitygw` and set %s", Env)
	}
	dir := tb.TempDir()
	root, sidecar := filepath.Join(dir, "root"), filepath.Join(dir, "sidecar")
	for _, d := range []string{root, sidecar} {
		if err := os.Mkdir(d, 0o700); err != nil {
			tb.Fatalf("s3server: %v", err)
		}
	}
	backend := []string{"posix", root}
	var err error
	for range attempts {
		s := &Server{AccessKey: "AKIA" + rand.Text()[:16], SecretKey: rand.Text() + rand.Text(), Region: "eu-test-1"}
		var p *process
		if p, err = s.run(bin, backend); err == nil {
			tb.Cleanup(func() {
				if err := p.stop(); err != nil {
					tb.Errorf("s3server: stop: %v", err)
				}
			})
			return s
		}
		switch {
		case strings.Contains(err.Error(), "xattr"): // the file system has no extended attributes
			backend = []string{"posix", "--sidecar", sidecar, root}
		case strings.Contains(err.Error(), "address already in use"):
		default:
			tb.Fatalf("s3server: %v", err)
		}
	}
	tb.Fatalf("s3server: did not start in %d attempts: %v", attempts, err)
	return nil
}

// run starts the binary on a free port and waits until it answers there.
func (s *Server) run(bin string, backend []string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	s.URL = "http://" + addr
	health := "/" + rand.Text() // only our own process answers it, whoever else may have taken the port
	args := append([]string{"--quiet", "--port", addr, "--region", s.Region, "--health", health}, backend...)
	p, err := start(bin, args, []string{
		"ROOT_ACCESS_KEY_ID=" + s.AccessKey,
		"ROOT_SECRET_ACCESS_KEY=" + s.SecretKey,
		"TMPDIR=" + os.TempDir(),
	})
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s exited at once (%w): %s", bin, p.err, p.out.String())
		default:
		}
		if answers(s.URL + health) {
			return p, nil
		}
	}
	err = fmt.Errorf("%s does not answer on %s after %s: %s", bin, addr, startTimeout, p.out.String())
	return nil, errors.Join(err, p.stop())
}

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

// stop asks the process to end, and kills it if it does not.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopTimeout):
	}
	err := p.cmd.Process.Kill()
	<-p.done
	return errors.Join(fmt.Errorf("killed after %s: %s", stopTimeout, p.out.String()), err)
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
