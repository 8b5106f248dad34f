// Package mongoserver gives tests a database that speaks the MongoDB protocol:
// the one that MOORING_TEST_MONGODB_URI names, else one of tools/mongoserver,
// which MOORING_TEST_MONGOSERVER names and which can be killed.
package mongoserver

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The variables that `make mongo` sets.
const (
	uriVariable      = "MOORING_TEST_MONGODB_URI"
	launcherVariable = "MOORING_TEST_MONGOSERVER"
)

// Real is the URI of a database that somebody else runs, or "".
func Real() string { return os.Getenv(uriVariable) }

// Server is a server on loopback whose database is one file.
type Server struct {
	launcher, file, port string
	cmd                  *exec.Cmd
}

// Start starts a server whose file is in a folder.
func Start(dir string) (*Server, error) {
	launcher := os.Getenv(launcherVariable)
	if launcher == "" {
		return nil, errors.New(launcherVariable + " names no server: run `make mongo`")
	}
	s := &Server{launcher: launcher, file: filepath.Join(dir, "mongo.db"), port: "0"}
	return s, s.Restart()
}

// Restart starts a server that was killed, on its file and port.
func (s *Server) Restart() error {
	s.cmd = exec.Command(s.launcher, s.file, "127.0.0.1", s.port)
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, port, ok := strings.Cut(strings.TrimSpace(line), "listening on 127.0.0.1:")
	if err != nil || !ok {
		s.Kill()
		return fmt.Errorf("the server said %q: %w", line, err)
	}
	s.port = port
	return nil
}

// Kill ends the server at once.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// URI is that of a database of the server.
func (s *Server) URI(database string) string { return "mongodb://127.0.0.1:" + s.port + "/" + database }

// Database is the URI of another database of the server of a URI.
func Database(uri, name string) string {
	rest, query, _ := strings.Cut(uri, "?")
	scheme, rest, _ := strings.Cut(rest, "://")
	hosts, old, _ := strings.Cut(rest, "/")
	out := scheme + "://" + hosts + "/" + name
	if old != "" && strings.Contains(hosts, "@") && !strings.Contains(query, "authSource=") {
		query = strings.Trim("authSource="+old+"&"+query, "&") // whose users are those of the URI
	}
	if query != "" {
		out += "?" + query
	}
	return out
}

// NewName is a name for a database of a test.
func NewName() string { return "mooring_test_" + strings.ToLower(rand.Text()[:12]) }
