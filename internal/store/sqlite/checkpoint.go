package sqlite

import (
	"context"
	"database/sql"
	"strconv"
	"time"
)

// The log is copied into the database beside the writer, which therefore does
// not stop for it. Only when the log has grown to logPages although it was
// copied all the time, because the writer never paused, does the writer itself
// copy the little that is left, and begin the log anew.
const (
	checkpointEvery = 500 * time.Millisecond
	logPages        = 32 << 10 // of 4 KiB
)

func logLimit() []string {
	return []string{"wal_autocheckpoint(" + strconv.Itoa(logPages) + ")", "journal_size_limit(" + strconv.Itoa(logPages*4096) + ")"}
}

// checkpointer copies the log while there are commits.
type checkpointer struct {
	conn *sql.Conn
	w    *writer
	stop chan struct{}
	done chan struct{}
}

func newCheckpointer(conn *sql.Conn, w *writer) *checkpointer {
	c := &checkpointer{conn: conn, w: w, stop: make(chan struct{}), done: make(chan struct{})}
	go c.loop()
	return c
}

func (c *checkpointer) loop() {
	defer close(c.done)
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	var copied int64
	for {
		select {
		case <-tick.C:
		case <-c.stop:
			return
		}
		commits := c.w.commits.Load()
		if commits == copied {
			continue
		}
		// What fails now is tried again, by the writer at the latest, which reports it.
		if _, err := c.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)"); err == nil {
			copied = commits
		}
	}
}

func (c *checkpointer) close() error {
	close(c.stop)
	<-c.done
	return c.conn.Close()
}
