package snowflake_test

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mooring/emulator/snowflake"
)

func TestStatements(t *testing.T) {
	s := account(t)
	table := s.Table(`DB.PUBLIC."odd "" name"`, []snowflake.Column{
		{Name: "A", Type: snowflake.Number}, {Name: "b c", Type: snowflake.Varchar, Nullable: true}, {Name: "D", Type: snowflake.Float},
	})
	table.Insert(snowflake.Row{1, "x", 0.5}, snowflake.Row{2, nil, -1.0}, snowflake.Row{3, "", 2.0})
	cfg := config(s)
	cfg.Database, cfg.Schema = "DB", "PUBLIC"
	db := open(t, cfg)
	const from = ` FROM "odd "" name" `
	tests := []struct{ sql, want string }{
		{`select a` + from + `order by a desc`, "[[3] [2] [1]]"},
		{`SELECT "A", "b c"` + from + `ORDER BY "b c"`, "[[3 ] [1 x] [2 NULL]]"},
		{`SELECT "A"` + from + `ORDER BY "b c" DESC`, "[[2] [1] [3]]"},
		{`SELECT "A"` + from + `ORDER BY "b c" NULLS FIRST, A`, "[[2] [3] [1]]"},
		{`SELECT "A"` + from + `ORDER BY D DESC NULLS LAST LIMIT 2`, "[[3] [1]]"},
		{`SELECT * FROM DB.PUBLIC."odd "" name" WHERE A = 1`, "[[1 x 0.5]]"},
		{`SELECT A` + from + `WHERE "b c" IS NULL`, "[[2]]"},
		{`SELECT A` + from + `WHERE "b c" IS NOT NULL AND NOT (A = 3 OR A = 9)`, "[[1]]"},
		{`SELECT A` + from + `WHERE "b c" = 'x' OR A IN (3, 4) ORDER BY 0 - 0`, ""},
		{`SELECT A` + from + `WHERE "b c" = 'x' OR A IN (3, 4) ORDER BY A`, "[[1] [3]]"},
		{`SELECT A` + from + `WHERE A NOT IN (1, 2)`, "[[3]]"},
		{`SELECT A` + from + `WHERE NOT "b c" = 'x'`, "[[3]]"}, // NULL is not unequal
		{`SELECT A` + from + `WHERE D < A AND A::VARCHAR <> '3' AND CAST(A AS NUMBER(2,1)) > -1 ORDER BY A`, "[[1] [2]]"},
		{`SELECT COUNT(*), COUNT("b c"), COUNT_IF("b c" IS NULL), MIN(D), MAX("b c")` + from, "[[3 2 1 -1 x]]"},
		{`SELECT TO_VARCHAR(MAX(A)), COUNT(*)` + from + `WHERE A > 5`, "[[NULL 0]]"},
		{`SELECT A, COUNT(*)` + from, ""},
		{`SELECT COALESCE("b c", 'none') AS "x"` + from + `ORDER BY A`, "[[x] [none] []]"},
		{`SELECT CONCAT(REPLACE("b c", 'x', 'y'), '/', A)` + from + `WHERE A = 1`, "[[y/1]]"},
		{`SELECT SHA2('abc', 256)`, "[[ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad]]"},
		{`SELECT LENGTH('häuser'), OCTET_LENGTH('häuser'), 'it''s', TRUE, 1.50, -2, NULL`, "[[6 7 it's 1 1.50 -2 NULL]]"},
		{`SELECT HASH(1) = HASH('1'), HASH(1, NULL) = HASH(1, NULL)`, "[[0 1]]"},
		{`SELECT A` + from + `GROUP BY A`, ""},
		{`SELECT A` + from + `WHERE A`, ""},
		{`SELECT A` + from + `; DROP TABLE x`, ""},
		{`SELECT A` + from + `-- comment`, ""},
		{`SELECT A, *` + from, ""},
		{`SELECT E` + from, ""},
		{`SELECT SUM(A)` + from, ""},
		{`SELECT A` + from + `WHERE MAX(A) = 3`, ""},
		{`SELECT A` + from + `LIMIT -1`, ""},
		{`INSERT INTO x VALUES (1)`, ""},
		{`SELECT ` + strings.Repeat("(", 300) + `1` + strings.Repeat(")", 300), ""},
		{``, ""},
	}
	for _, tt := range tests {
		rows, err := read(lasting(t), db, tt.sql)
		if tt.want == "" && err == nil {
			t.Errorf("%s: not refused, gave %v", tt.sql, rows)
		} else if tt.want != "" && (err != nil || fmt.Sprint(rows) != tt.want) {
			t.Errorf("%s: %v, %v, want %s", tt.sql, rows, err, tt.want)
		}
	}
}

func TestShow(t *testing.T) {
	s := account(t)
	column := []snowflake.Column{
		{Name: "N", Type: snowflake.Number, Precision: 10, Scale: 2}, {Name: "T", Type: snowflake.TimestampTZ, Nullable: true},
		{Name: "S", Type: snowflake.Varchar, Nullable: true}, {Name: "F", Type: snowflake.Float},
	}
	for _, name := range []string{"A.X.T1", "A.X.T2", `A.X."t3"`, "A.Y.T1", "B.X.T1"} {
		s.Table(name, column).Insert(snowflake.Row{1, nil, nil, 1.0})
	}
	v := s.View("A.X.V", s.Table("C.X.BASE", column))
	db := open(t, config(s))
	names := func(sql string, column int) string {
		rows, err := read(lasting(t), db, sql)
		if err != nil {
			return fmt.Sprint(codeOf(err))
		}
		var out []string
		for _, r := range rows {
			out = append(out, r[column])
		}
		return strings.Join(out, " ")
	}
	tests := []struct {
		sql    string
		column int
		want   string
	}{
		{`SHOW DATABASES`, 1, "A B C"},
		{`SHOW DATABASES LIMIT 1 FROM 'A'`, 1, "B"},
		{`SHOW DATABASES LIKE 'a'`, 1, "A"},
		{`SHOW SCHEMAS IN DATABASE "A"`, 1, "X Y"},
		{`SHOW SCHEMAS IN DATABASE "a"`, 1, "2043"},
		{`SHOW TABLES IN SCHEMA "A"."X"`, 1, "T1 T2 t3"},
		{`SHOW TABLES IN SCHEMA "A"."X" STARTS WITH 'T' LIMIT 1`, 1, "T1"},
		{`SHOW TABLES IN SCHEMA "A"."X" LIMIT 2 FROM 'T1'`, 1, "T2 t3"},
		{`SHOW TABLES LIKE 't_' IN DATABASE A`, 3, "X X X Y"},
		{`SHOW TABLES LIKE '%1' IN SCHEMA A.X`, 7, "1"},
		{`SHOW VIEWS IN SCHEMA A.X`, 1, "V"},
		{`SHOW OBJECTS IN SCHEMA A.X`, 4, "TABLE TABLE VIEW TABLE"},
		{`SHOW COLUMNS IN TABLE A.X.T1`, 2, "N T S F"},
		{`SHOW COLUMNS IN VIEW A.X.V`, 3, `{"type":"FIXED","precision":10,"scale":2,"nullable":false} {"type":"TIMESTAMP_TZ","precision":0,"scale":9,"nullable":true} {"type":"TEXT","length":16777216,"nullable":true} {"type":"REAL","nullable":false}`},
		{`DESCRIBE TABLE A.X.T1`, 1, "NUMBER(10,2) TIMESTAMP_TZ(9) VARCHAR(16777216) FLOAT"},
		{`DESC VIEW A.X.V`, 3, "N Y Y N"},
		{`DESCRIBE VIEW A.X.T1`, 0, "2203"},
		{`DESCRIBE TABLE A.X.NONE`, 0, "2003"},
		{`SHOW WAREHOUSES`, 0, "1003"},
	}
	for _, tt := range tests {
		if got := names(tt.sql, tt.column); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.sql, got, tt.want)
		}
	}
	v.Drop()
	if got := names(`SHOW VIEWS IN SCHEMA A.X`, 1); got != "" {
		t.Errorf("a dropped view is shown: %s", got)
	}
}

func TestUse(t *testing.T) {
	s := account(t)
	numbers(s, 1)
	db := open(t, config(s))
	_, err := read(lasting(t), db, `SELECT ID FROM NUMBERS`)
	wantCode(t, err, 90105)
	mustRead(t, db, `USE DATABASE DB`)
	mustRead(t, db, `USE SCHEMA PUBLIC`)
	mustRead(t, db, `USE WAREHOUSE WH`)
	mustRead(t, db, `USE ROLE SYSADMIN`)
	wantNumbers(t, mustRead(t, db, `SELECT ID FROM NUMBERS`), 1)
	for _, sql := range []string{`USE DATABASE NONE`, `USE SCHEMA NONE`, `USE WAREHOUSE NONE`, `USE ROLE NONE`, `USE SECONDARY ROLES ALL`, `ALTER SESSION SET NONSENSE = 1`, `ALTER SESSION SET GO_QUERY_RESULT_FORMAT = 'ARROW'`} {
		if _, err := read(lasting(t), db, sql); err == nil {
			t.Errorf("%s: not refused", sql)
		}
	}
}

// What a transaction does is seen when it ends, and a past state stays readable.
func TestTransactions(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	s := account(t, snowflake.Options{Now: func() time.Time { return now }})
	table := numbers(s, 3)
	db := open(t, config(s))
	token := func() string {
		return mustRead(t, db, `SELECT SYSTEM$LAST_CHANGE_COMMIT_TIME('"DB"."PUBLIC"."NUMBERS"')`)[0][0]
	}
	before := token()
	then := now
	now = now.Add(time.Minute)
	late := table.Begin()
	late.Insert(snowflake.Row{-1, "late"})
	late.Update(func(r snowflake.Record) bool { return r["ID"] == "1" }, map[string]any{"NAME": "changed"})
	if got := mustRead(t, db, all); len(got) != 3 || token() != before {
		t.Fatalf("an open transaction is visible: %v", got)
	}
	if n := late.Commit(); n != 2 {
		t.Fatalf("touched %d rows, want 2", n)
	}
	if n := table.Delete(func(r snowflake.Record) bool { return r["ID"] == "0" }); n != 1 {
		t.Fatalf("deleted %d rows, want 1", n)
	}
	if got := mustRead(t, db, `SELECT ID, NAME FROM DB.PUBLIC.NUMBERS ORDER BY ID`); fmt.Sprint(got) != "[[-1 late] [1 changed] [2 nc]]" {
		t.Fatalf("got %v", got)
	}
	if token() <= before {
		t.Fatalf("the token was %s and is %s", before, token())
	}
	wantNumbers(t, mustRead(t, db, `SELECT ID FROM DB.PUBLIC.NUMBERS AT (TIMESTAMP => TO_TIMESTAMP_LTZ(?)) ORDER BY ID`, then.Format(time.RFC3339Nano)), 3)
	for _, when := range []time.Time{then.Add(-time.Hour), now.Add(time.Hour)} {
		_, err := read(lasting(t), db, `SELECT ID FROM DB.PUBLIC.NUMBERS AT (TIMESTAMP => TO_TIMESTAMP_LTZ(?))`, when.Format(time.RFC3339Nano))
		wantCode(t, err, 707)
	}
	gone := table.Begin()
	gone.Delete(func(snowflake.Record) bool { return true })
	gone.Rollback()
	if n := gone.Commit(); n != 0 || len(table.Rows()) != 3 {
		t.Fatal("a transaction that was rolled back did something")
	}
}

// Pages by keyset over generated rows, changed rows among them, are the table in
// order: whatever the emulator skips, it must not skip a row.
func TestKeysetMatchesModel(t *testing.T) {
	s := account(t)
	db := open(t, config(s))
	rapid.Check(t, func(rt *rapid.T) {
		n, ties := rapid.IntRange(0, 60).Draw(rt, "rows"), rapid.IntRange(1, 5).Draw(rt, "ties")
		table := s.Table("DB.PUBLIC.T", []snowflake.Column{
			{Name: "W", Type: snowflake.Number, Nullable: true}, {Name: "K", Type: snowflake.Varchar},
		})
		row := func(i int) snowflake.Row { return snowflake.Row{i / ties, fmt.Sprintf("%03d", i)} }
		if rapid.Bool().Draw(rt, "declared") {
			table.Generate(n, row, "W", "K")
		} else {
			table.Generate(n, row)
		}
		type pair struct {
			w int
			k string
		}
		var want []pair
		for i := range n {
			want = append(want, pair{i / ties, fmt.Sprintf("%03d", i)})
		}
		for i, w := range rapid.SliceOfN(rapid.IntRange(-2, 20), 0, 5).Draw(rt, "inserted") {
			k := fmt.Sprintf("x%d", i)
			table.Insert(snowflake.Row{w, k})
			want = append(want, pair{w, k})
		}
		gone := fmt.Sprintf("%03d", rapid.IntRange(0, 60).Draw(rt, "deleted"))
		table.Delete(func(r snowflake.Record) bool { return r["K"] == gone })
		want = slices.DeleteFunc(want, func(p pair) bool { return p.k == gone })
		upper := rapid.IntRange(-3, 70).Draw(rt, "upper")
		want = slices.DeleteFunc(want, func(p pair) bool { return p.w > upper })
		sort.Slice(want, func(i, j int) bool {
			return want[i].w < want[j].w || want[i].w == want[j].w && want[i].k < want[j].k
		})
		limit := rapid.IntRange(1, 7).Draw(rt, "limit")
		var got []pair
		w, k := "-99", ""
		for {
			rows, err := read(lasting(t), db, fmt.Sprintf(`SELECT W, K FROM DB.PUBLIC.T WHERE (W > TO_NUMBER(?) OR (W = TO_NUMBER(?) AND K > ?)) AND W <= %d ORDER BY W, K LIMIT %d`, upper, limit), w, w, k)
			if err != nil {
				rt.Fatal(err)
			}
			for _, r := range rows {
				w, k = r[0], r[1]
				var p pair
				_, _ = fmt.Sscan(w, &p.w)
				p.k = k
				got = append(got, p)
			}
			if len(rows) < limit {
				break
			}
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("got %v, want %v", got, want)
		}
	})
}

// condition draws a condition on the columns W and K.
func condition(rt *rapid.T, depth int) string {
	column, op := rapid.SampledFrom([]string{"W", "W", "K"}).Draw(rt, "column"), rapid.SampledFrom([]string{"=", "<", "<=", ">", ">=", "<>"}).Draw(rt, "op")
	n := rapid.IntRange(-1, 12).Draw(rt, "n")
	switch kind := rapid.IntRange(0, 6).Draw(rt, "kind"); {
	case depth == 0 || kind < 2:
		return fmt.Sprintf("%s %s %d", column, op, n)
	case kind == 2:
		return "NOT (" + condition(rt, depth-1) + ")"
	case kind == 3:
		return fmt.Sprintf("%d %s %s", n, op, column)
	case kind == 4:
		return fmt.Sprintf("(W %s %d OR W %s %d)", op, n, op, rapid.IntRange(-1, 12).Draw(rt, "m"))
	case kind == 5:
		return "(" + condition(rt, depth-1) + " OR " + condition(rt, depth-1) + ")"
	}
	return condition(rt, depth-1) + " AND " + condition(rt, depth-1)
}

// Rows that are said to ascend are the same rows, whatever is asked of them.
func TestAscendingIsOnlyFaster(t *testing.T) {
	s := account(t)
	db := open(t, config(s))
	columns := []snowflake.Column{{Name: "W", Type: snowflake.Number}, {Name: "K", Type: snowflake.Number}}
	row := func(i int) snowflake.Row { return snowflake.Row{i / 3, i} }
	s.Table("DB.PUBLIC.FAST", columns).Generate(30, row, "W", "K")
	s.Table("DB.PUBLIC.SLOW", columns).Generate(30, row)
	rapid.Check(t, func(rt *rapid.T) {
		tail := " WHERE " + condition(rt, 3) + rapid.SampledFrom([]string{"", " ORDER BY W, K", " ORDER BY W", " ORDER BY K DESC"}).Draw(rt, "order") +
			rapid.SampledFrom([]string{"", " LIMIT 4"}).Draw(rt, "limit")
		fast, err := read(lasting(t), db, `SELECT W, K FROM DB.PUBLIC.FAST`+tail)
		if err != nil {
			rt.Fatal(err)
		}
		slow, err := read(lasting(t), db, `SELECT W, K FROM DB.PUBLIC.SLOW`+tail)
		if err != nil {
			rt.Fatal(err)
		}
		if fmt.Sprint(fast) != fmt.Sprint(slow) {
			rt.Fatalf("%s\nfast %v\nslow %v", tail, fast, slow)
		}
	})
}
