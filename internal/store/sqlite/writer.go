package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"mooring/internal/audit"
	"mooring/internal/errs"
)

// lane is a queue of the writer. Interactive writes, which somebody waits for,
// go before bulk ones.
type lane int

const (
	interactive lane = iota
	bulk
)

// turn bounds how long the writer collects writes for one commit.
const turn = 20 * time.Millisecond

// job is a queued write. do may run twice: a group whose commit fails is run
// again one by one.
type job struct {
	do    func(*tx) error
	err   error
	done  chan struct{}
	taken bool // by the writer; guarded by writer.mu
}

// writer owns the only connection that writes. Its goroutine puts the writes
// that wait into one transaction, each in a savepoint of its own, so that they
// share one sync of the disk and one that fails leaves the others alone.
type writer struct {
	tx      *tx
	mu      sync.Mutex
	queues  [2][]*job
	closing bool
	wake    chan struct{}
	ended   chan struct{}
	commits atomic.Int64
	owed    bool  // the last turn took no bulk write; only the goroutine touches it
	broken  error // set once the disk refused to sync; only the goroutine touches it
}

func newWriter(conn *sql.Conn) *writer {
	w := &writer{
		tx:   &tx{conn: conn, statements: map[string]*sql.Stmt{}},
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	go w.loop()
	return w
}

// write queues a write and waits until it is durable. While it is queued the
// context can take it back; once begun it is finished and its outcome returned.
func (w *writer) write(ctx context.Context, op string, l lane, do func(*tx) error) error {
	j, err := w.queue(ctx, op, l, do)
	if err != nil {
		return err
	}
	return w.wait(ctx, op, j)
}

func (w *writer) queue(ctx context.Context, op string, l lane, do func(*tx) error) (*job, error) {
	if err := ctx.Err(); err != nil {
		return nil, classify(err, op)
	}
	j := &job{do: do, done: make(chan struct{})}
	w.mu.Lock()
	if w.closing {
		w.mu.Unlock()
		return nil, closed(op)
	}
	w.queues[l] = append(w.queues[l], j)
	w.mu.Unlock()
	w.signal()
	return j, nil
}

func (w *writer) wait(ctx context.Context, op string, j *job) error {
	select {
	case <-j.done:
		return classify(j.err, op)
	case <-ctx.Done():
	}
	w.mu.Lock()
	taken := j.taken
	j.taken = true // the writer skips it
	w.mu.Unlock()
	if !taken {
		return classify(ctx.Err(), op)
	}
	<-j.done
	return classify(j.err, op)
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// next takes the next job of a lane, or nil.
func (w *writer) next(l lane) *job {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queues[l]) > 0 {
		j := w.queues[l][0]
		w.queues[l][0] = nil
		w.queues[l] = w.queues[l][1:]
		if !j.taken {
			j.taken = true
			return j
		}
	}
	return nil
}

func (w *writer) loop() {
	defer close(w.ended)
	for {
		if w.group() {
			continue
		}
		w.mu.Lock()
		done := w.closing && len(w.queues[interactive]) == 0 && len(w.queues[bulk]) == 0
		w.mu.Unlock()
		if done {
			return
		}
		<-w.wake
	}
}

// group commits one turn's writes and reports whether there were any. Bulk
// writes fill a turn only while nobody waits: a turn with interactive writes
// is committed at once, with one bulk write at most, and that only when the
// turn before had none, so that neither lane starves.
func (w *writer) group() bool {
	end := time.Now().Add(turn)
	urgent, bulky := false, false
	take := func() *job {
		if urgent && w.owed && !bulky {
			bulky = true
			if j := w.next(bulk); j != nil {
				return j
			}
		}
		if j := w.next(interactive); j != nil {
			urgent = true
			return j
		}
		if urgent {
			return nil
		}
		bulky = true
		return w.next(bulk)
	}
	j := take()
	if j == nil {
		return false
	}
	err := w.tx.begin()
	jobs := []*job{}
	for ; j != nil; j = take() {
		jobs = append(jobs, j)
		if err == nil {
			err = w.tx.step(j)
		}
		if !time.Now().Before(end) {
			break
		}
	}
	w.owed = urgent && !bulky
	w.finish(jobs, err)
	return true
}

// finish commits the transaction, or, when it is lost, runs its writes one by
// one, so that each has the outcome it deserves.
func (w *writer) finish(jobs []*job, err error) {
	if w.broken == nil {
		if err == nil {
			err = w.tx.commit()
		}
		if err != nil {
			w.tx.rollback()
			w.noteSync(err)
			w.oneByOne(jobs)
		}
		w.commits.Add(1)
		w.tx.emptyLog()
	}
	for _, j := range jobs {
		if w.broken != nil {
			j.err = w.broken
		}
		close(j.done)
	}
}

func (w *writer) oneByOne(jobs []*job) {
	for _, j := range jobs {
		if w.broken != nil {
			return
		}
		err := w.tx.begin()
		if err == nil {
			err = j.do(w.tx)
		}
		if err == nil {
			err = w.tx.commit()
		}
		if err != nil {
			w.tx.rollback()
			w.noteSync(err)
		}
		j.err = err
	}
}

// noteSync stops writing for good after a failed sync: the system has then
// forgotten which pages are not on the disk, and a later sync that succeeds
// would prove nothing.
func (w *writer) noteSync(err error) {
	if failedSync(err) {
		w.broken = errs.Wrap(err, errs.Unavailable, "store.write", "the disk failed to store what was written: restart once it works again")
	}
}

func (w *writer) close() {
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	w.signal()
	<-w.ended
}

// tx is the writer's connection within its transaction.
type tx struct {
	conn       *sql.Conn
	statements map[string]*sql.Stmt
	forget     bool         // set by a job after which the log must hold nothing old
	chain      *audit.Chain // nil: audit entries are not linked
}

// emptyLog empties the log once a job has asked for it. It does its best: a
// reader that is slow keeps the log as it is until the next checkpoint.
func (t *tx) emptyLog() {
	if t.forget {
		t.forget = false
		_, _ = t.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	}
}

func (t *tx) begin() error  { _, err := t.exec("BEGIN IMMEDIATE"); return err }
func (t *tx) commit() error { _, err := t.exec("COMMIT"); return err }

// rollback ends what is left of the transaction; SQLite may have ended it by itself.
func (t *tx) rollback() { _, _ = t.exec("ROLLBACK") }

// step runs a job in a savepoint. The error it returns means that the whole
// transaction is lost; the job's own error stays in the job.
func (t *tx) step(j *job) error {
	if _, err := t.exec("SAVEPOINT job"); err != nil {
		return err
	}
	if j.err = j.do(t); j.err != nil {
		if _, err := t.exec("ROLLBACK TO job"); err != nil {
			return errors.Join(j.err, err)
		}
	}
	_, err := t.exec("RELEASE job")
	return err
}

func (t *tx) statement(query string) (*sql.Stmt, error) {
	if s := t.statements[query]; s != nil {
		return s, nil
	}
	s, err := t.conn.PrepareContext(context.Background(), query)
	if err == nil {
		t.statements[query] = s
	}
	return s, err
}

// close ends the connection. Statements that were prepared on it would keep the
// database open.
func (t *tx) close() error {
	var problems []error
	for _, s := range t.statements {
		problems = append(problems, s.Close())
	}
	return errors.Join(append(problems, t.conn.Close())...)
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	s, err := t.statement(query) //nolint:sqlclosecheck // kept until the connection ends
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// each calls scan for every row of a query.
func (t *tx) each(query string, args []any, scan func(*sql.Rows) error) error {
	s, err := t.statement(query) //nolint:sqlclosecheck // kept until the connection ends
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(context.Background(), args...)
	if err != nil {
		return err
	}
	return drain(rows, scan)
}

// row scans the first row of a query and reports whether there was one.
func (t *tx) row(query string, args []any, dest ...any) (found bool, err error) {
	err = t.each(query, args, func(r *sql.Rows) error {
		if found {
			return nil
		}
		found = true
		return r.Scan(dest...)
	})
	return found, err
}

func drain(rows *sql.Rows, scan func(*sql.Rows) error) (err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
