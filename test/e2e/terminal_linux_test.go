package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

// terminal is a command at a terminal of its own, and what that shows.
type terminal struct {
	t      *testing.T
	ctl    *os.File // the person's side
	screen binary.Output
	seen   int // of the screen, by earlier expectations
	cmd    *exec.Cmd
	done   chan struct{}
}

// atTerminal starts a command as somebody who types it would.
func (s *server) atTerminal(columns int, args ...string) *terminal {
	s.t.Helper()
	ctl := must(os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0))(s.t)
	s.t.Cleanup(func() { _ = ctl.Close() })
	conn := must(ctl.SyscallConn())(s.t)
	var number int
	var failed error
	if err := conn.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed == nil {
			number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
		if failed == nil {
			failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: uint16(columns)})
		}
	}); errors.Join(err, failed) != nil {
		s.t.Fatal(err, failed)
	}
	tty := must(os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0))(s.t)
	defer tty.Close()
	x := &terminal{t: s.t, ctl: ctl, cmd: exec.CommandContext(s.ctx, mooring, args...), done: make(chan struct{})}
	x.cmd.Env = append(binary.Env(filepath.Dir(s.Dir)), "MOORING_DATA_DIR="+s.Dir, "MOORING_URL="+s.Server.URL, "TERM=xterm-256color")
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = tty, tty, tty
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		for b := make([]byte, 4096); ; {
			n, err := ctl.Read(b)
			_, _ = x.screen.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	go func() {
		_ = x.cmd.Wait() // how it ended is asked of the process
		close(x.done)
	}()
	return x
}

// expect waits until the terminal shows something new, and says what did.
func (x *terminal) expect(pattern string) string {
	x.t.Helper()
	want := regexp.MustCompile(pattern)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		shown := x.screen.String()
		if at := want.FindStringIndex(shown[x.seen:]); at != nil {
			found := shown[x.seen+at[0] : x.seen+at[1]]
			x.seen += at[1]
			return found
		}
	}
	x.t.Fatalf("the terminal does not show %q but:\n%q", pattern, x.screen.String()[x.seen:])
	return ""
}

func (x *terminal) enter(line string) {
	x.t.Helper()
	if _, err := x.ctl.WriteString(line + "\n"); err != nil && !errors.Is(err, fs.ErrClosed) {
		x.t.Fatal(err)
	}
}

// ends waits for the end of the command and returns its exit code.
func (x *terminal) ends() int {
	x.t.Helper()
	select {
	case <-x.done:
		return x.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		_ = x.cmd.Process.Kill()
		x.t.Fatalf("the command does not end; the terminal shows:\n%q", x.screen.String())
		return 0
	}
}

// TestConnectingAtATerminal: what is missing is asked for, a secret is never
// shown, and after a wrong one only that is asked for again.
func TestConnectingAtATerminal(t *testing.T) {
	from := newStorage(t, s3.Options{})
	s := Start(t)
	wrong := strings.Repeat("wrong", 8)
	x := s.atTerminal(80, "connection", "create")
	for _, step := range []struct{ question, answer string }{
		{"Name of the connection: ", "Team archive"},
		{"Provider:(?s).*Number or name: ", "s3"},
		{"Credentials:(?s).*Number or name: ", "1"},
		{"access_key_id: ", from.KeyID},
		{`secret_access_key \(not shown\): `, wrong},
		{"region: ", "us-east-1"},
		{`Set any of the optional .*endpoint_url(?s).*\[y/N\]: `, "y"},
		{`session_token \(Enter: none\) \(not shown\): `, ""},
		{`endpoint_url \(Enter: none\): `, from.Endpoint},
		{`use_ssl \(Enter: none\): `, "perhaps"},
		{`true or false(?s).*use_ssl \(Enter: none\): `, ""},
		{`verify_ssl \(Enter: none\): `, ""},
		{`bucket \(Enter: none\): `, ""},
		{`secret does not belong to the access key id(?s).*secret_access_key \(not shown\): `, from.Secret},
	} {
		x.expect(step.question)
		x.enter(step.answer)
	}
	x.expect(`status\s+ACTIVE`)
	if code := x.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, secret := range []string{wrong, from.Secret} {
		if strings.Contains(x.screen.String(), secret) {
			t.Errorf("the terminal shows a secret:\n%q", x.screen.String())
		}
	}
	if got := s.answer("", "connection", "get", "Team archive"); got["status"] != "ACTIVE" {
		t.Errorf("the connection: %v", got)
	}
}

// TestAFileMayLeaveOutTheSecret: it can then be kept with other files.
func TestAFileMayLeaveOutTheSecret(t *testing.T) {
	from := newStorage(t, s3.Options{})
	s := Start(t)
	file := filepath.Join(t.TempDir(), "archive.json")
	raw := fmt.Sprintf(`{"region": "us-east-1", "endpoint_url": %q, "credentials": {"access_key_id": %q}}`, from.Endpoint, from.KeyID)
	if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	x := s.atTerminal(80, "connection", "create", "archive", "--provider", "s3", "--provider-config-file", file)
	x.expect(`secret_access_key \(not shown\): `)
	x.enter(from.Secret)
	x.expect(`status\s+ACTIVE`)
	if code := x.ends(); code != 0 || strings.Contains(x.screen.String(), from.Secret) {
		t.Errorf("exit code %d; the terminal shows:\n%q", code, x.screen.String())
	}
}

// TestInterruptedWhileASecretIsTyped: the command ends, and the terminal shows
// again what is typed.
func TestInterruptedWhileASecretIsTyped(t *testing.T) {
	s := Start(t)
	x := s.atTerminal(80, "login", "here", s.Server.URL)
	x.expect(`API key \(not shown\): `)
	if _, err := x.ctl.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	x.expect("interrupted")
	if code := x.ends(); code != 130 {
		t.Errorf("exit code %d", code)
	}
}

// TestWatchingARun: bars at a terminal, lines elsewhere, and the ledger at the end.
func TestWatchingARun(t *testing.T) {
	from := newStorage(t, s3.Options{})
	for i := range 6 {
		from.put(fmt.Sprintf("raw/%d.txt", i), strings.Repeat(fmt.Sprint(i), 50_000))
	}
	held := make(chan struct{})
	from.Inject(s3.Fault{Match: s3.Match{Operations: []s3.Operation{s3.GetObject}, Key: "raw/5.txt"}, Action: s3.Wait(held)})
	s := Start(t)
	j := s.connect(from, sourceBucket+"/raw", nil)
	x := s.atTerminal(100, "sync", "watch", j.bucket, j.sync)
	x.expect(`6 found, 1 transferring, 0 synced`)
	x.expect(`KiB / 29\d\.\d KiB`) // a bar of the bytes that are known
	close(held)
	x.expect(`status\s+COMPLETED`)
	x.expect(`synced\s+6`)
	if code := x.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	r := s.cli("", "sync", "trigger", j.bucket, j.sync, "--wait")
	if r.Code != 0 || !strings.Contains(r.Stderr, "6 found") || strings.Contains(r.Stderr, "\x1b") || !regexp.MustCompile(`unchanged\s+6`).MatchString(r.Stdout) {
		t.Errorf("without a terminal: %+v", r)
	}
	if r := s.cli("", "sync", "watch", j.bucket, j.sync, "--json"); r.Code != 0 || r.Stderr != "" || !strings.HasPrefix(r.Stdout, "{") {
		t.Errorf("as JSON: %+v", r)
	}
}

// TestTablesAtATerminal: none is wider than what shows it.
func TestTablesAtATerminal(t *testing.T) {
	from := newStorage(t, s3.Options{})
	s := Start(t)
	if r := s.cli(from.config(), "connection", "create", strings.Repeat("a long name ", 8), "--provider", "s3"); r.Code != 0 {
		t.Fatal(r)
	}
	x := s.atTerminal(72, "connection", "list")
	x.expect("conn_[a-z0-9]{15}")
	if code := x.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for line := range strings.SplitSeq(x.screen.String(), "\r\n") {
		if n := len([]rune(line)); n > 72 {
			t.Errorf("%d wide: %q", n, line)
		}
	}
}
