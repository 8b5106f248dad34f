package snowflake_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	driver "github.com/snowflakedb/gosnowflake"

	"mooring/emulator/snowflake"
)

const all = `SELECT ID FROM DB.PUBLIC.NUMBERS ORDER BY ID`

// wantNumbers compares a result with the ids from 0 on.
func wantNumbers(t *testing.T, rows [][]string, n int) {
	t.Helper()
	if len(rows) != n {
		t.Fatalf("%d rows, want %d", len(rows), n)
	}
	for i, row := range rows {
		if row[0] != fmt.Sprint(i) {
			t.Fatalf("row %d is %v", i, row)
		}
	}
}

func TestChunks(t *testing.T) {
	s := account(t, snowflake.Options{ChunkRows: 10})
	for _, n := range []int{0, 1, 10, 11, 95} {
		s.ResetRequests()
		numbers(s, n)
		wantNumbers(t, mustRead(t, open(t, config(s)), all), n)
		if got, want := s.Count(snowflake.Chunk), max(0, (n+9)/10-1); got != want {
			t.Errorf("%d rows came in %d chunks, want %d", n, got, want)
		}
	}
}

func TestChunkFaults(t *testing.T) {
	s := account(t, snowflake.Options{ChunkRows: 10})
	numbers(s, 35)
	db := open(t, config(s))
	tests := []struct {
		name   string
		action snowflake.Action
		times  int
		ok     bool // the driver helps itself
	}{
		{"expired URL", snowflake.Status(403), 0, false},
		{"expired once", snowflake.Status(403), 1, true},
		{"broken connection once", snowflake.Truncate(5), 1, true},
		{"cut short", snowflake.CutShort(5), 0, false},
		{"no connection once", snowflake.Drop(), 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer s.ClearFaults()
			hit := s.Inject(snowflake.Fault{Match: snowflake.On(snowflake.Chunk), Times: tt.times, Action: tt.action})
			rows, err := read(lasting(t), db, all)
			if (err == nil) != tt.ok {
				t.Fatalf("%d rows and error %v", len(rows), err)
			}
			if tt.ok {
				wantNumbers(t, rows, 35)
			}
			if hit.Hits() == 0 {
				t.Fatal("the fault met nothing")
			}
		})
	}
	wantNumbers(t, mustRead(t, db, all), 35)
}

// Who finds the URL of a chunk can't read it without the headers of the result.
func TestChunkNeedsItsHeaders(t *testing.T) {
	s := account(t, snowflake.Options{ChunkRows: 10})
	numbers(s, 11)
	wantNumbers(t, mustRead(t, open(t, config(s)), all), 11)
	requests := s.Requests()
	i := slices.IndexFunc(requests, func(r snowflake.Request) bool { return r.Operation == snowflake.Chunk })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+requests[i].Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Fatalf("status %d, want 403", resp.StatusCode)
	}
}

func TestRenewal(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	s := account(t, snowflake.Options{Now: func() time.Time { return now }})
	numbers(s, 3)
	db := open(t, config(s))
	wantNumbers(t, mustRead(t, db, all), 3)
	now = now.Add(time.Hour)
	wantNumbers(t, mustRead(t, db, all), 3)
	if s.Count(snowflake.Renew) != 1 || s.Logins() != 1 {
		t.Fatalf("%d renewals and %d logins, want one each", s.Count(snowflake.Renew), s.Logins())
	}
	now = now.Add(4 * time.Hour) // the master token is as old as the renewal
	_, err := read(lasting(t), db, all)
	wantCode(t, err, 390114)
}

func TestSessionFaults(t *testing.T) {
	s := account(t)
	numbers(s, 3)
	match := snowflake.OnSQL("SELECT ID *")
	tests := []struct {
		name   string
		faults []snowflake.Fault
		code   int
	}{
		{"expired", []snowflake.Fault{{Match: match, Times: 1, Action: snowflake.Expire()}}, 0},
		{"expired by answer", []snowflake.Fault{{Match: match, Times: 1, Action: snowflake.Reply("390112")}}, 0},
		{"renewal refused", []snowflake.Fault{
			{Match: match, Times: 1, Action: snowflake.Expire()},
			{Match: snowflake.On(snowflake.Renew), Action: snowflake.Reply("390115")},
		}, 390115},
		{"master expired", []snowflake.Fault{{Match: match, Times: 1, Action: snowflake.ExpireMaster()}}, 390114},
		{"ended", []snowflake.Fault{{Match: match, Times: 1, Action: snowflake.EndSession()}}, 390111},
		{"invalid token", []snowflake.Fault{{Match: match, Action: snowflake.Reply("390104")}}, 390104},
		{"no warehouse", []snowflake.Fault{{Match: match, Action: snowflake.Reply("000606")}}, 606},
		{"gone", []snowflake.Fault{{Match: match, Action: snowflake.Reply("002003")}}, 2003},
		{"privileges", []snowflake.Fault{{Match: match, Action: snowflake.Reply("003001")}}, 3001},
		{"HTTP 401", []snowflake.Fault{{Match: match, Action: snowflake.Status(401)}}, driver.ErrFailedToPostQuery},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer s.ClearFaults()
			for _, f := range tt.faults {
				s.Inject(f)
			}
			rows, err := read(lasting(t), open(t, config(s)), all)
			wantCode(t, err, tt.code)
			if tt.code == 0 && err != nil {
				t.Fatal(err)
			} else if err == nil {
				wantNumbers(t, rows, 3)
			}
		})
	}
}

func TestLoginFaults(t *testing.T) {
	s := account(t)
	for _, code := range []string{"390100", "390102", "390144", "390189", "390201", "390420", "390422", "394300", "394304"} {
		s.Inject(snowflake.Fault{Match: snowflake.On(snowflake.Login), Times: 1, Action: snowflake.Reply(code)})
		var n int
		_, _ = fmt.Sscan(strings.TrimLeft(code, "0"), &n)
		wantCode(t, open(t, config(s)).Ping(), n)
	}
	s.Inject(snowflake.Fault{Match: snowflake.On(snowflake.Login), Times: 1, Action: snowflake.Status(403)})
	wantCode(t, open(t, config(s)).Ping(), driver.ErrCodeFailedToConnect)
	s.Inject(snowflake.Fault{Match: snowflake.On(snowflake.Login), Times: 1, Action: snowflake.Status(503)})
	if err := open(t, config(s)).Ping(); err != nil {
		t.Fatalf("the driver tries again after a 503: %v", err)
	}
}

func TestInProgress(t *testing.T) {
	s := account(t, snowflake.Options{Async: true})
	numbers(s, 3)
	db := open(t, config(s))
	wantNumbers(t, mustRead(t, db, all), 3)
	if s.Count(snowflake.Result) != 1 {
		t.Fatalf("%d requests for the result, want 1", s.Count(snowflake.Result))
	}
	s.Inject(snowflake.Fault{Match: snowflake.On(snowflake.Query), Times: 1, Action: snowflake.Pending(4)})
	s.Inject(snowflake.Fault{Match: snowflake.On(snowflake.Result), Nth: 2, Action: snowflake.Expire()})
	wantNumbers(t, mustRead(t, db, all), 3)
	var codes []string
	for _, r := range s.Requests() {
		if r.Operation == snowflake.Result || r.Operation == snowflake.Query {
			codes = append(codes, r.Code)
		}
	}
	want := []string{"333334", "", "333334", "333333", "390112", "333333", "333333", ""}
	if !slices.Equal(codes, want) {
		t.Fatalf("answers were %q, want %q", codes, want)
	}
	_, err := read(lasting(t), db, `SELECT ID FROM DB.PUBLIC.NONE`)
	wantCode(t, err, 2003)
}

func TestAbort(t *testing.T) {
	s := account(t)
	numbers(s, 3)
	db := open(t, config(s))
	s.Inject(snowflake.Fault{Match: snowflake.OnSQL("SELECT ID *"), Times: 1, Action: snowflake.Hang()})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := read(ctx, db, all)
		done <- err
	}()
	waitFor(t, "the query to hang", func() bool {
		return slices.ContainsFunc(s.Requests(), func(r snowflake.Request) bool { return len(r.Faults) > 0 && r.QueryID != "" })
	})
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if s.Count(snowflake.Abort) != 1 {
		t.Fatalf("%d requests to abort, want 1", s.Count(snowflake.Abort))
	}
	wantNumbers(t, mustRead(t, open(t, config(s)), all), 3)
	waitFor(t, "the query that was aborted to end", func() bool {
		return slices.ContainsFunc(s.Requests(), func(r snowflake.Request) bool {
			return r.Operation == snowflake.Query && r.Code == "000604"
		})
	})
}

// waitFor polls until something is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestStatementTimeout(t *testing.T) {
	s := account(t)
	numbers(s, 3)
	db := open(t, config(s))
	s.Inject(snowflake.Fault{Match: snowflake.OnSQL("SELECT ID *"), Action: snowflake.Takes(61 * time.Second)})
	wantNumbers(t, mustRead(t, db, all), 3)
	mustRead(t, db, `ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 60, QUERY_TAG = 'x'`)
	_, err := read(lasting(t), db, all)
	wantCode(t, err, 630)
	mustRead(t, db, `ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 61`)
	wantNumbers(t, mustRead(t, db, all), 3)
}

func TestWarehouse(t *testing.T) {
	s := account(t)
	numbers(s, 3)
	cfg := config(s)
	cfg.Warehouse = ""
	db := open(t, cfg)
	for _, metadata := range []string{
		`SELECT CURRENT_VERSION()`, `SELECT 1`, `SHOW DATABASES`, `SHOW SCHEMAS IN DATABASE DB`, `SHOW TABLES IN SCHEMA DB.PUBLIC LIMIT 5`,
		`SHOW COLUMNS IN TABLE DB.PUBLIC.NUMBERS`, `DESCRIBE TABLE DB.PUBLIC.NUMBERS`, `SELECT SYSTEM$LAST_CHANGE_COMMIT_TIME('DB.PUBLIC.NUMBERS')`,
	} {
		mustRead(t, db, metadata)
	}
	if n := s.WarehouseStatements(); n != 0 {
		t.Fatalf("metadata counts as %d statements that need a warehouse", n)
	}
	_, err := read(lasting(t), db, all)
	wantCode(t, err, 606)
	s.User("alice", "right").DefaultWarehouse("WH")
	wantNumbers(t, mustRead(t, open(t, cfg), all), 3)
	if n := s.WarehouseStatements(); n != 2 {
		t.Fatalf("%d statements that need a warehouse, want 2", n)
	}
	if got := s.Statements(); len(got) != 10 || got[9] != all {
		t.Fatalf("statements: %q", got)
	}
}

// A lost answer is asked for again, under the same id.
func TestLostAnswer(t *testing.T) {
	s := account(t)
	numbers(s, 3)
	db := open(t, config(s))
	s.Inject(snowflake.Fault{Match: snowflake.On(snowflake.Query), Times: 1, Action: snowflake.Lose()})
	wantNumbers(t, mustRead(t, db, all), 3)
	var ids []string
	for _, r := range s.Requests() {
		if r.Operation == snowflake.Query {
			ids = append(ids, r.RequestID)
		}
	}
	if len(ids) != 2 || ids[0] != ids[1] {
		t.Fatalf("request ids %q", ids)
	}
}

func TestLogout(t *testing.T) {
	s := account(t)
	db := open(t, config(s))
	mustRead(t, db, `SELECT 1`)
	if s.Sessions() != 1 {
		t.Fatalf("%d sessions, want 1", s.Sessions())
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if s.Sessions() != 0 {
		t.Fatal("the session is still open")
	}
}
