package snowflake

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"
	"time"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// The feed of a table with an incremental_column.
//
// A pass begins when the table's change token is another one, which no warehouse
// is needed for. It takes the greatest watermark M, then reads the rows without a
// watermark, then those from the mark less the overlap up to M, by (watermark,
// key). The next pass's mark is M, but not later than now: a row with a date in
// the far future must not hide all that comes before it.
//
// The mark is what was visible when the pass began, however long it took and in
// however many processes: so a row that was committed late, behind rows already
// read, is met by the next pass as long as its watermark is not older than the
// overlap. Rows of the overlap are told again; their version says that they have
// not changed. The token is read before the rows, so that a change meanwhile
// begins another pass.

// defaultOverlap is how late a row may become visible behind its watermark.
const defaultOverlap = 15 * time.Minute

// token asks for the table's change token; "" when it has none, as some kinds of
// tables and views do: then every pass reads.
func (s *source) token(ctx context.Context, t table) (string, error) {
	rows, err := s.all(ctx, "snowflake.changes", asking, changed(t), 1)
	switch {
	case err != nil && (errs.Is(err, errs.Invalid) || codeOf(err) == codeNoWarehouse):
		return "", nil
	case err != nil:
		return "", err
	case len(rows) == 0 || len(rows[0]) == 0:
		return "", nil
	}
	return rows[0][0].String, nil
}

// unchanged says whether a cursor waits for a change and there is none. That is
// all that an empty run asks.
func (s *source) unchanged(ctx context.Context, t table, cur driver.Cursor) (bool, error) {
	var c cursor
	_ = json.Unmarshal(cur, &c) // what is none of ours has no phase
	if c.Phase != phaseRest || c.Token == "" || c.Config != s.columnNames() {
		return false, nil
	}
	token, err := s.token(ctx, t)
	return token == c.Token, err
}

// columnNames tells whether the configuration names the same columns.
func (s *source) columnNames() string {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{s.markName}, s.keyNames...), "\x00")))
	return hex.EncodeToString(sum[:8])
}

// begin starts what a cursor leads to: the enumeration, or a pass of the feed.
// It returns false when there is nothing new.
func (s *source) begin(ctx context.Context, sh *shape, c *cursor) (bool, error) {
	token, err := s.token(ctx, sh.table)
	if err != nil {
		return false, err
	}
	if c.Phase == phaseRest && token != "" && token == c.Token {
		return false, nil
	}
	rows, err := s.all(ctx, "snowflake.changes", reading, sh.summary(), 1)
	if err != nil {
		return false, err
	}
	var most string
	c.Nulls = 0
	if len(rows) == 1 && len(rows[0]) == 2 {
		most = rows[0][0].String
		if n, ok := new(big.Int).SetString(rows[0][1].String, 10); ok {
			c.Nulls = n.Int64()
		}
	}
	c.Token = token
	if c.Phase == phaseFirst {
		c.Mark = s.notAfterNow(*sh.mark, most)
		return true, nil
	}
	c.Low, c.High = less(*sh.mark, c.Mark, s.overlap), most
	if c.Mark != "" && (most == "" || compare(*sh.mark, most, c.Low) < 0) {
		// The table was emptied or filled anew: what it holds now may be anywhere.
		return false, dead("the watermarks of " + sh.table.String() + " went back: all of it must be read again")
	}
	c.Mark = s.notAfterNow(*sh.mark, most)
	c.Key, c.At, c.Copies = nil, "", 0
	if c.Phase = phaseNews; c.Nulls > 0 {
		c.Phase = phaseNulls
	}
	return c.Nulls > 0 || most != "", nil
}

// after is the phase that follows one that has ended, false at the end of all.
func (c cursor) after() (cursor, bool) {
	next := cursor{Columns: c.Columns, Config: c.Config, Mark: c.Mark, Token: c.Token, Nulls: c.Nulls}
	if c.Phase == phaseNulls && c.High != "" {
		next.Phase, next.Low, next.High = phaseNews, c.Low, c.High
		return next, true
	}
	next.Phase = phaseRest
	return next, false
}

// notAfterNow is the earlier one of a watermark and this moment.
func (s *source) notAfterNow(m column, mark string) string {
	now := s.now().UTC()
	if t, ok := instant(mark); ok && m.timed() && t.After(now) {
		return stamp(m, now)
	}
	return mark
}

// stamp writes a point in time as a watermark of a column.
func stamp(m column, t time.Time) string {
	switch m.typ {
	case "DATE":
		return t.Format("2006-01-02")
	case "TIMESTAMP_NTZ":
		return t.Format("2006-01-02T15:04:05.000000000")
	}
	return t.Format("2006-01-02T15:04:05.000000000-07:00")
}

// less is a watermark less the overlap; a date is moved by whole days. What is not
// a point in time has no overlap: equal ones are read again all the same.
func less(m column, mark string, overlap time.Duration) string {
	t, ok := instant(mark)
	if !ok || !m.timed() || overlap <= 0 {
		return mark
	}
	return stamp(m, t.Add(-overlap))
}

// compare compares two watermarks of a column as the server does.
func compare(m column, a, b string) int {
	if m.timed() {
		x, ok1 := instant(a)
		y, ok2 := instant(b)
		if ok1 && ok2 {
			return x.Compare(y)
		}
	}
	if m.typ == "NUMBER" {
		x, ok1 := new(big.Rat).SetString(a)
		y, ok2 := new(big.Rat).SetString(b)
		if ok1 && ok2 {
			return x.Cmp(y)
		}
	}
	return cmp.Compare(a, b)
}

// flags sets what a page is, by the phase of what it was asked with.
func flags(p *driver.Page, phase string, ordered bool) {
	switch phase {
	case phaseScan:
		p.Snapshot, p.Ordered = true, ordered
	case phaseFirst:
		p.Snapshot, p.Feed = true, true
	default:
		p.Feed = true
	}
}
