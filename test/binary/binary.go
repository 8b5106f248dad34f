// Package binary builds the mooring binary and runs it as its users do: as a
// process, over HTTP and over the command line. Black-box tests and benchmarks
// share it; it imports nothing of Mooring.
package binary

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
	readyLine    = "Mooring serves "
)

// Build compiles the binary into a folder, as releases are: without cgo.
func Build(ctx context.Context, dir string) (string, error) {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "mooring")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", bin, "./cmd/mooring")
	cmd.Dir = filepath.Dir(strings.TrimSpace(string(mod)))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building mooring: %w\n%s", err, out)
	}
	return bin, nil
}

// Env is what a process of ours gets: nothing of the user's, but where
// programs are, and a home of its own.
func Env(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_CONFIG_HOME=" + filepath.Join(home, "config"), "TMPDIR=" + os.TempDir()}
}

// Server is a `mooring serve` that is ready.
type Server struct {
	URL string
	Dir string // the data directory
	Log *Output
	Out *Output

	cmd  *exec.Cmd
	done chan struct{}
	err  error // of the process, once done
}

// Start runs `mooring serve` on a free port, with debug logs, and returns once
// it is ready. One that ends before is an *ExitError.
func Start(bin, dir string, args ...string) (*Server, error) {
	all := append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", dir, "--allow-network", "127.0.0.0/8", "--log-level", "debug"}, args...)
	s := &Server{Dir: dir, Log: &Output{}, Out: &Output{}, cmd: exec.Command(bin, all...), done: make(chan struct{})}
	s.cmd.Env = Env(filepath.Dir(dir))
	s.cmd.Stderr = s.Log
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	go s.follow(stdout, ready)
	select {
	case s.URL = <-ready:
		return s, nil
	case <-s.done:
		return nil, &ExitError{Code: s.cmd.ProcessState.ExitCode(), Output: s.Log.String()}
	case <-time.After(startTimeout):
		_ = s.Kill()
		return nil, fmt.Errorf("mooring serve is not ready after %s:\n%s", startTimeout, s.Log.String())
	}
}

// ExitError is a process that ended although it should not have.
type ExitError struct {
	Code   int
	Output string
}

// Error implements error.
func (e *ExitError) Error() string { return fmt.Sprintf("exit code %d: %s", e.Code, e.Output) }

// follow keeps what the process prints and waits for its end.
func (s *Server) follow(stdout io.Reader, ready chan<- string) {
	in := bufio.NewScanner(stdout)
	for in.Scan() {
		line := in.Text()
		_, _ = s.Out.Write([]byte(line + "\n"))
		if url, ok := strings.CutPrefix(line, readyLine); ok {
			ready <- url
		}
	}
	s.err = s.cmd.Wait()
	close(s.done)
}

// AdminKey reads the admin key that the server has written.
func (s *Server) AdminKey() (string, error) {
	b, err := os.ReadFile(filepath.Join(s.Dir, "admin.key"))
	return strings.TrimSpace(string(b)), err
}

// Stop asks the server to end and waits until it has.
func (s *Server) Stop() error {
	if s.over() {
		return s.err
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.done:
		return s.err
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("mooring serve does not end after %s:\n%s", stopTimeout, s.Log.String()), s.Kill())
	}
}

// Kill ends the server as a crash does.
func (s *Server) Kill() error {
	if s.over() {
		return nil
	}
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.done
	return nil
}

func (s *Server) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// PID is the number of the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// State is how the server ended; nil while it runs.
func (s *Server) State() *os.ProcessState {
	if !s.over() {
		return nil
	}
	return s.cmd.ProcessState
}

// Result is what a command did.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// Run runs a command to its end.
func Run(ctx context.Context, bin string, env []string, stdin string, args ...string) (Result, error) {
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Env = env
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := Result{Stdout: stdout.String(), Stderr: stderr.String()}
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		r.Code = e.ExitCode()
		return r, nil
	}
	return r, err
}

// Main builds the binary for the tests of a package, says where it is, and runs
// them. It is for TestMain, which exits with what it returns.
func Main(m *testing.M, path *string) int {
	dir, err := os.MkdirTemp("", "mooring-binary-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if *path, err = Build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// Output gathers what a process prints while others may read it.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

// String is what was printed so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
