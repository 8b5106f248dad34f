package snowflake_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"database/sql"
	"errors"
	"io"
	"os"
	"sync"
	"testing"

	driver "github.com/snowflakedb/gosnowflake"

	"mooring/emulator/snowflake"
)

func TestMain(m *testing.M) {
	// The driver would look for a cloud around it, unpack a native library, and log.
	_ = os.Setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
	_ = os.Setenv("SF_DISABLE_MINICORE", "true")
	_ = driver.GetLogger().SetLogLevel("OFF")
	driver.GetLogger().SetOutput(io.Discard)
	os.Exit(m.Run())
}

// account is a server with one user, who may do everything, and a warehouse.
func account(t *testing.T, options ...snowflake.Options) *snowflake.Server {
	t.Helper()
	s := snowflake.Start(t, options...)
	s.User("alice", "right")
	s.Warehouse("WH")
	return s
}

// config is how alice logs in.
func config(s *snowflake.Server) driver.Config {
	return driver.Config{
		Account: "ORG-ACCT", User: "alice", Password: "right", Warehouse: "WH",
		Protocol: "http", Host: s.Host(), Port: s.Port(), MaxRetryCount: 1,
		DisableTelemetry: true, //nolint:staticcheck // before the login there is no parameter that says so
	}
}

func open(t *testing.T, cfg driver.Config) *sql.DB {
	t.Helper()
	db := sql.OpenDB(driver.NewConnector(driver.SnowflakeDriver{}, cfg))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// lasting is a context that outlives the test: of a result that was read to its
// end, a download that finds its context ended then panics in the driver.
func lasting(t *testing.T) context.Context {
	t.Helper()
	return context.WithoutCancel(t.Context())
}

// read runs a query and returns its rows as text, NULL as "NULL".
func read(ctx context.Context, db *sql.DB, query string, binds ...any) ([][]string, error) {
	rows, err := db.QueryContext(ctx, query, binds...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out [][]string
	for rows.Next() {
		cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(columns))
		for i, c := range cells {
			if row[i] = c.String; !c.Valid {
				row[i] = "NULL"
			}
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

func mustRead(t *testing.T, db *sql.DB, query string, binds ...any) [][]string {
	t.Helper()
	rows, err := read(lasting(t), db, query, binds...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return rows
}

// codeOf is the number that the driver found in a refusal, 0 if there is none.
func codeOf(err error) int {
	var e *driver.SnowflakeError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

func wantCode(t *testing.T, err error, code int) {
	t.Helper()
	if codeOf(err) != code {
		t.Fatalf("got error %v, want code %06d", err, code)
	}
}

// keys are made once: RSA is slow.
var keys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var out [2]*rsa.PrivateKey
	for i := range out {
		out[i], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	return out
})

// numbers is a table with the ids 0 to n-1 and a name for each even one.
func numbers(s *snowflake.Server, n int) *snowflake.Table {
	t := s.Table("DB.PUBLIC.NUMBERS", []snowflake.Column{
		{Name: "ID", Type: snowflake.Number}, {Name: "NAME", Type: snowflake.Varchar, Nullable: true},
	})
	for i := range n {
		var name any
		if i%2 == 0 {
			name = "n" + string(rune('a'+i%26))
		}
		t.Insert(snowflake.Row{i, name})
	}
	return t
}
