package snowflake_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	driver "github.com/snowflakedb/gosnowflake"

	"mooring/emulator/snowflake"
)

const big38 = "-99999999999999999999999999999999999999"

func TestTypes(t *testing.T) {
	s := account(t)
	zone := time.FixedZone("", -(5*3600 + 1800))
	tests := []struct {
		name   string
		column snowflake.Column
		value  any
		want   any // as the driver hands it out
		text   string
	}{
		{"number", snowflake.Column{Type: snowflake.Number}, big38, big38, big38},
		{"number with scale", snowflake.Column{Type: snowflake.Number, Precision: 38, Scale: 37}, "0.1", "0.1" + zeros(36), "0.1" + zeros(36)},
		{"negative fraction", snowflake.Column{Type: snowflake.Number, Precision: 9, Scale: 2}, "-0.07", "-0.07", "-0.07"},
		{"float", snowflake.Column{Type: snowflake.Float}, 16777217.25, "16777217.25", "16777217.25"},
		{"small float", snowflake.Column{Type: snowflake.Float}, 5e-324, "5e-324", "5e-324"},
		{"no number", snowflake.Column{Type: snowflake.Float}, math.NaN(), "NaN", "NaN"},
		{"decfloat", snowflake.Column{Type: snowflake.DecFloat}, "1.2345e-100", "1.2345e-100", "0." + zeros(99) + "12345"},
		{"text", snowflake.Column{Type: snowflake.Varchar}, "häuser \"<&>\x00\n", "häuser \"<&>\x00\n", "häuser \"<&>\x00\n"},
		{"true", snowflake.Column{Type: snowflake.Boolean}, true, "1", "true"},
		{"date", snowflake.Column{Type: snowflake.Date}, "1969-12-31", time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC), "1969-12-31"},
		{"early date", snowflake.Column{Type: snowflake.Date}, "0001-01-01", time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), "0001-01-01"},
		{"time", snowflake.Column{Type: snowflake.Time}, "23:59:59.123456789", time.Date(1, 1, 1, 23, 59, 59, 123456789, time.UTC), "23:59:59.123456789"},
		{"ntz", snowflake.Column{Type: snowflake.TimestampNTZ}, "2026-07-01 12:00:00.123456789", time.Date(2026, 7, 1, 12, 0, 0, 123456789, time.UTC), "2026-07-01T12:00:00.123456789"},
		{"ntz cut", snowflake.Column{Type: snowflake.TimestampNTZ, Scale: 3}, "2026-07-01 12:00:00.123999999", time.Date(2026, 7, 1, 12, 0, 0, 123000000, time.UTC), "2026-07-01T12:00:00.123000000"},
		{"ntz without fraction", snowflake.Column{Type: snowflake.TimestampNTZ, Scale: -1}, "1969-07-01 12:00:00.9", time.Date(1969, 7, 1, 12, 0, 0, 0, time.UTC), "1969-07-01T12:00:00.000000000"},
		{"ltz", snowflake.Column{Type: snowflake.TimestampLTZ}, "2026-07-01T12:00:00.000000001Z", time.Date(2026, 7, 1, 12, 0, 0, 1, time.UTC), "2026-07-01T12:00:00.000000001Z"},
		{"tz", snowflake.Column{Type: snowflake.TimestampTZ}, "2026-07-01T12:00:00.5-05:30", time.Date(2026, 7, 1, 12, 0, 0, 5e8, zone), "2026-07-01T12:00:00.500000000-05:30"},
		{"binary", snowflake.Column{Type: snowflake.Binary}, []byte{0, 0xff, 7}, []byte{0, 0xff, 7}, "00FF07"},
		{"variant", snowflake.Column{Type: snowflake.Variant}, `{"n": 12345678901234567890.10}`, `{"n": 12345678901234567890.10}`, `{"n": 12345678901234567890.10}`},
		{"object", snowflake.Column{Type: snowflake.Object}, map[string]any{"a": 1}, `{"a":1}`, `{"a":1}`},
		{"array", snowflake.Column{Type: snowflake.Array}, []any{1, nil, "x"}, `[1,null,"x"]`, `[1,null,"x"]`},
		{"geography", snowflake.Column{Type: snowflake.Geography}, `{"type":"Point","coordinates":[1,2]}`, `{"type":"Point","coordinates":[1,2]}`, `{"type":"Point","coordinates":[1,2]}`},
	}
	cfg := config(s)
	utc := "UTC"
	cfg.Params = map[string]*string{"timezone": &utc, "GO_QUERY_RESULT_FORMAT": new(string)}
	*cfg.Params["GO_QUERY_RESULT_FORMAT"] = "JSON"
	db := open(t, cfg)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.column
			c.Name, c.Nullable = "V", true
			table := s.Table("DB.PUBLIC.T", []snowflake.Column{{Name: "ID", Type: snowflake.Number}, c})
			table.Insert(snowflake.Row{1, tt.value}, snowflake.Row{2, nil})
			var got any
			if err := db.QueryRowContext(t.Context(), `SELECT V FROM DB.PUBLIC.T WHERE ID = 1`).Scan(&got); err != nil {
				t.Fatal(err)
			}
			if at, ok := got.(time.Time); ok {
				if want := tt.want.(time.Time); !at.Equal(want) || at.Format(time.RFC3339Nano) != want.Format(time.RFC3339Nano) {
					t.Errorf("got %v, want %v", at, want)
				}
			} else if fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", tt.want, tt.want) {
				t.Errorf("got %T %v, want %v", got, got, tt.want)
			}
			if err := db.QueryRowContext(t.Context(), `SELECT V FROM DB.PUBLIC.T WHERE ID = 2`).Scan(&got); err != nil || got != nil {
				t.Errorf("NULL is %v, %v", got, err)
			}
			if rows := s.Rows("DB.PUBLIC.T"); rows[0]["V"] != tt.text || rows[1]["V"] != nil {
				t.Errorf("Rows has %q and %v, want %q", rows[0]["V"], rows[1]["V"], tt.text)
			}
		})
	}
}

func zeros(n int) string { return fmt.Sprintf("%0*d", n, 0) }

// Before 1970 the fraction of a timestamp counts backwards. The driver reads it
// forwards: the emulator must not hide that.
func TestNegativeFraction(t *testing.T) {
	s := account(t)
	table := s.Table("DB.PUBLIC.T", []snowflake.Column{{Name: "V", Type: snowflake.TimestampNTZ}})
	table.Insert(snowflake.Row{"1969-12-31 23:59:58.5"})
	db := open(t, config(s))
	var got time.Time
	if err := db.QueryRowContext(t.Context(), `SELECT V FROM DB.PUBLIC.T`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := time.Date(1969, 12, 31, 23, 59, 59, 5e8, time.UTC); !got.Equal(want) {
		t.Errorf("the driver reads -1.5 as %v; it used to be %v", got, want)
	}
	if got := mustRead(t, db, `SELECT TO_VARCHAR(V, 'YYYY-MM-DD"T"HH24:MI:SS.FF9') FROM DB.PUBLIC.T`); got[0][0] != "1969-12-31T23:59:58.500000000" {
		t.Errorf("the server formats it as %v", got)
	}
}

func TestBinds(t *testing.T) {
	s := account(t)
	table := s.Table("DB.PUBLIC.T", []snowflake.Column{
		{Name: "N", Type: snowflake.Number, Scale: 2}, {Name: "F", Type: snowflake.Float}, {Name: "B", Type: snowflake.Boolean},
		{Name: "D", Type: snowflake.Date}, {Name: "TS", Type: snowflake.TimestampNTZ}, {Name: "X", Type: snowflake.Binary}, {Name: "DF", Type: snowflake.DecFloat},
	})
	table.Insert(snowflake.Row{"12.50", 16777217.25, true, "1969-01-02", "2026-01-02 03:04:05.123456789", []byte{1, 2}, "1e200"})
	db := open(t, config(s))
	at := time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC)
	tests := []struct {
		where string
		bind  any
		found bool
	}{
		{"N = ?", "12.5", true},
		{"N = ?", int64(12), false},
		{"N > ?", int64(12), true},
		{"N = TO_NUMBER(?, 38, 2)", "12.504", true}, // rounded by the cast
		{"N = ?", "12.504", false},                  // not by the comparison
		{"F = TO_DOUBLE(?)", "16777217.25", true},
		{"F = ?", 16777217.25, false}, // the driver sends 32 bits of a float
		{"B = ?", true, true},
		{"D = TO_DATE(?)", "1969-01-02", true},
		{"D < ?", "1969-01-02", false},
		{"TS = TO_TIMESTAMP_NTZ(?)", "2026-01-02T03:04:05.123456789", true},
		{"TS = ?", at, true},
		{"TS < ?", at, false},
		{"TS = ?::TIMESTAMP_NTZ(3)", "2026-01-02 03:04:05.123456789", false},
		{"X = TO_BINARY(?, 'HEX')", "0102", true},
		{"DF > ?", "9e199", true},
		{"DF = TO_DECFLOAT(?)", "10e199", true},
		{"N = ?", nil, false},
	}
	for _, tt := range tests {
		got := mustRead(t, db, `SELECT COUNT(*) FROM DB.PUBLIC.T WHERE `+tt.where, tt.bind)
		if (got[0][0] == "1") != tt.found {
			t.Errorf("%s with %v: found %v", tt.where, tt.bind, got)
		}
	}
	for where, code := range map[string]int{"N = ?": 100038, "D = ?": 100040, "TS = ?": 100035, "TS = TO_TIMESTAMP_NTZ(?)": 100035, "B = ?": 100037, "X = ?": 100115, "Y = ?": 904, "TO_CHAR(N) = ? AND F = ?": 2049} {
		_, err := read(lasting(t), db, `SELECT N FROM DB.PUBLIC.T WHERE `+where, "nonsense")
		if codeOf(err) != code {
			t.Errorf("%s with nonsense: %v, want %d", where, err, code)
		}
	}
}

// A text without zone is a time in the session's zone, and so is NTZ beside LTZ.
func TestTimezone(t *testing.T) {
	s := account(t)
	table := s.Table("DB.PUBLIC.T", []snowflake.Column{{Name: "L", Type: snowflake.TimestampLTZ}, {Name: "N", Type: snowflake.TimestampNTZ}})
	at := time.Date(2026, 7, 1, 19, 0, 0, 0, time.UTC)
	table.Insert(snowflake.Row{at, "2026-07-01 12:00:00"})
	db := open(t, config(s))
	count := func(where string) string {
		return mustRead(t, db, `SELECT COUNT(*) FROM DB.PUBLIC.T WHERE `+where)[0][0]
	}
	const noon = `L = TO_TIMESTAMP_LTZ('2026-07-01 12:00:00')`
	if got := count(noon) + count(`L = N`); got != "11" {
		t.Errorf("in Los Angeles: %s", got)
	}
	var got time.Time
	if err := db.QueryRowContext(t.Context(), `SELECT L FROM DB.PUBLIC.T`).Scan(&got); err != nil || got.Format(time.RFC3339) != "2026-07-01T12:00:00-07:00" {
		t.Errorf("LTZ is %v, %v", got, err)
	}
	if _, err := db.ExecContext(context.Background(), `ALTER SESSION SET TIMEZONE = 'UTC'`); err != nil {
		t.Fatal(err)
	}
	if got := count(noon) + count(`L = N`); got != "00" {
		t.Errorf("in UTC: %s", got)
	}
	if got := mustRead(t, db, `SELECT TO_CHAR(L, 'YYYY-MM-DD HH24:MI TZH:TZM') FROM DB.PUBLIC.T`); got[0][0] != "2026-07-01 19:00 +00:00" {
		t.Errorf("formatted as %v", got)
	}
	_, err := read(lasting(t), db, `ALTER SESSION SET TIMEZONE = 'Nowhere/None'`)
	wantCode(t, err, 1008)
}

func TestDriverVersion(t *testing.T) {
	if driver.SnowflakeGoDriverVersion != "1.19.1" {
		t.Errorf("what the documentation says of the driver was seen in 1.19.1, not %s", driver.SnowflakeGoDriverVersion)
	}
}
