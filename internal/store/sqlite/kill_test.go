package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"mooring/internal/connection"
	"mooring/internal/id"
	"mooring/internal/store/sqlite"
)

// childDir is set in the process that TestKill starts and kills.
const childDir = "MOORING_TEST_STORE_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, writeForever(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeForever writes from several goroutines and prints what the store has
// acknowledged: the id of each record inserted, and each revision reached.
func writeForever(dir string) error {
	s, err := sqlite.Open(context.Background(), sqlite.Options{Dir: dir})
	if err != nil {
		return err
	}
	var out sync.Mutex
	failed := make(chan error)
	for range 4 {
		go func() {
			for n := 0; ; n++ {
				c, err := s.Connections().Insert(context.Background(), "int_a", connection.Connection{ID: id.NewConnection(), Name: id.NewToken(20)})
				for i := 0; err == nil && i < n%3; i++ {
					c, err = s.Connections().Update(context.Background(), "int_a", c.ID, func(c *connection.Connection) error { c.Failures++; return nil })
				}
				if err != nil {
					failed <- err
					return
				}
				out.Lock()
				fmt.Println(c.ID, c.Revision)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

// TestKill kills a process that writes, in the middle of it, again and again:
// whatever it was told is stored is there afterwards.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]int64{}
	for range 5 {
		runAndKill(t, dir, 50+rand.IntN(400), acknowledged)
		s := open(t, dir)
		for i, revision := range acknowledged {
			c, err := s.Connections().Get(t.Context(), "int_a", id.Connection(i))
			if err != nil || c.Revision < revision || int64(c.Failures) != c.Revision-1 {
				t.Fatalf("%s was acknowledged at revision %d: found %d with %d failures (%v)", i, revision, c.Revision, c.Failures, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acknowledged) < 250 {
		t.Errorf("only %d records were acknowledged", len(acknowledged))
	}
}

func runAndKill(t *testing.T, dir string, after int, acknowledged map[string]int64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	for n := 0; lines.Scan(); n++ {
		if n == after {
			if err := cmd.Process.Kill(); err != nil { // what it still has printed is read on
				t.Fatal(err)
			}
		}
		var i, revision string
		if c, _ := fmt.Sscan(lines.Text(), &i, &revision); c != 2 {
			break // cut in the middle
		}
		r, err := strconv.ParseInt(revision, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		acknowledged[i] = r
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
}
