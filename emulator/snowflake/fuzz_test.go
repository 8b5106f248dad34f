package snowflake

import (
	"testing"
	"time"
)

// Whatever a client sends, the answer is rows or a refusal.
func FuzzStatement(f *testing.F) {
	for _, sql := range []string{
		`SELECT "A", TO_VARCHAR("B", 'YYYY-MM-DD"T"HH24:MI:SS.FF9TZH:TZM') FROM "D"."S"."T" WHERE ("B" > TO_TIMESTAMP_NTZ(?) OR ("B" = TO_TIMESTAMP_NTZ(?) AND "A" > ?)) ORDER BY "B" DESC NULLS LAST, "A" LIMIT 10`,
		`SELECT COUNT(*), MAX(A), COUNT_IF(B IS NULL) FROM D.S.T AT(TIMESTAMP => TO_TIMESTAMP_LTZ(?)) WHERE NOT A IN (1, 2.5e3, -7)`,
		`SELECT CAST('x' AS NUMBER(38, 37)), '1'::BINARY, TRUE = FALSE, SHA2(CONCAT('a', '\'', ''''), 256)`,
		`ALTER SESSION SET TIMEZONE = 'UTC', STATEMENT_TIMEOUT_IN_SECONDS = 5 QUERY_TAG = 'x'`,
		`SHOW TABLES LIKE '%_\\%' IN SCHEMA "D"."S" STARTS WITH 'a' LIMIT 3 FROM 'b'`,
		`SHOW COLUMNS IN VIEW D.S.T`, `DESC TABLE "D"."S"."T"`, `USE WAREHOUSE "wh"`,
		`SELECT 1e99999`, `SELECT 0.`, `SELECT '`, `SELECT "`, `SELECT TO_DECFLOAT('1e16384') > 1`, `SELECT TO_NUMBER('1', 99999999999999999999)`,
		`SELECT TO_TIMESTAMP_NTZ(99999999999999999999) FROM D.S.T`,
	} {
		f.Add(sql, "1")
	}
	f.Fuzz(func(t *testing.T, sql, bound string) {
		s := &Server{zone: time.UTC, opts: Options{}.withDefaults(), roles: map[string]*role{adminRole: {admin: true}}, warehouses: map[string]bool{}, tables: map[string]*Table{}}
		s.log.Limit = 1
		table := s.Table("D.S.T", []Column{{Name: "A", Type: Number}, {Name: "B", Type: TimestampNTZ, Nullable: true}})
		table.Generate(3, func(i int) Row { return Row{i, nil} }, "A")
		table.Insert(Row{7, "2026-01-02 03:04:05.123456789"})
		ses := &session{role: adminRole, warehouse: "WH", zone: time.UTC, params: map[string]string{}}
		q := &query{ses: ses}
		body := queryBody{SQL: sql, Bindings: map[string]bind{"1": {"TEXT", bound}, "2": {"FIXED", bound}, "3": {"TIMESTAMP_NTZ", bound}}}
		if f := s.execute(q, body, 0); f != nil {
			if f.code == "" || f.message == "" {
				t.Fatalf("%q is refused without a reason", sql)
			}
			return
		}
		_, err := q.rows.text(0, q.rows.len())
		if f := asFailure(err); err != nil && f.code == "000603" {
			t.Fatalf("%q: %v", sql, err)
		}
	})
}
