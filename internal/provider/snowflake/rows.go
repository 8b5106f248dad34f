package snowflake

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// tooLarge is why a row can't be delivered.
const tooLarge = "row_too_large"

// duplicateRow is why a row of a table without primary key is left out: another
// one is the same in every column.
const duplicateRow = "duplicate_row"

// nullMark is noted of a row without a watermark, which each pass that reads
// tells again.
const nullMark = "null_watermark"

// maxKey bounds a row's key, in bytes.
const maxKey = 4096

// item makes an item of a row as statement rows reads it. key is the row's.
func (sh *shape) item(row []sql.NullString) (it driver.Item, content []byte, err error) {
	key := row[0].String
	if len(key) > maxKey || !row[0].Valid {
		return it, nil, &errs.Error{
			Kind: errs.Invalid, Origin: errs.Provider, Scope: errs.ScopePath, Op: "snowflake.read", Code: "KeyTooLong",
			Msg: "the text of primary_key_columns is longer than " + strconv.Itoa(maxKey) + " bytes in a row of " + sh.table.String() + ": choose shorter columns",
		}
	}
	cells := row[1:]
	if sh.mark != nil {
		it.ModifiedAt, _ = instant(cells[0].String)
		if !cells[0].Valid {
			it.Note = nullMark
		}
		cells = cells[1:]
	}
	content = sh.json(cells)
	sum := sha256.Sum256(content)
	it.ID = sh.table.String() + "/" + key
	it.Path = key + ".json"
	it.Rel = it.Path
	it.Name = it.Path[strings.LastIndexByte(it.Path, '/')+1:]
	it.Size, it.MIME, it.Version = int64(len(content)), "application/json", hex.EncodeToString(sum[:])
	if len(content) > driver.MaxInline {
		it.Skip = tooLarge
		return it, content, nil
	}
	it.Inline = content
	it.Columns = sh.values(cells)
	return it, content, nil
}

// json writes a row as an object, its columns in the order of the table. The
// same values give the same bytes.
func (sh *shape) json(cells []sql.NullString) []byte {
	n := 2
	for i, c := range sh.columns {
		n += len(c.name) + len(cells[i].String) + 6
	}
	b := bytes.NewBuffer(make([]byte, 0, n+n/8))
	b.WriteByte('{')
	for i, c := range sh.columns {
		if i > 0 {
			b.WriteByte(',')
		}
		writeText(b, c.name)
		b.WriteByte(':')
		if cells[i].Valid {
			c.write(b, cells[i].String)
		} else {
			b.WriteString("null")
		}
	}
	b.WriteByte('}')
	return b.Bytes()
}

// write writes a value: numbers with every digit they have.
func (c column) write(b *bytes.Buffer, text string) {
	switch c.typ {
	case "NUMBER", "FLOAT", "DECFLOAT":
		if isNumber(text) {
			b.WriteString(text)
			return
		}
	case "BOOLEAN":
		b.WriteString(strconv.FormatBool(isTrue(text)))
		return
	case "BINARY":
		b.WriteByte('"')
		b.WriteString(base64.StdEncoding.EncodeToString([]byte(text)))
		b.WriteByte('"')
		return
	case "VARIANT", "OBJECT", "ARRAY", "MAP", "GEOGRAPHY", "GEOMETRY":
		if json.Compact(b, []byte(text)) == nil { // else nothing was written
			return
		}
	}
	writeText(b, text)
}

// isNumber says whether a text is a number in JSON; NaN and inf are none.
func isNumber(text string) bool {
	return text != "" && (text[0] == '-' || text[0] >= '0' && text[0] <= '9') && json.Valid([]byte(text))
}

func isTrue(text string) bool { return text == "1" || strings.EqualFold(text, "true") }

const digits = "0123456789abcdef"

// writeText writes a JSON string. Nothing is escaped that need not be.
func writeText(b *bytes.Buffer, s string) {
	b.WriteByte('"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			b.WriteString(s[from:i])
			switch c {
			case '"', '\\':
				b.Write([]byte{'\\', c})
			case '\n':
				b.WriteString(`\n`)
			case '\r':
				b.WriteString(`\r`)
			case '\t':
				b.WriteString(`\t`)
			default:
				b.Write([]byte{'\\', 'u', '0', '0', digits[c>>4], digits[c&15]})
			}
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			b.WriteString(s[from:i])
			b.WriteString(`\ufffd`)
			from = i + 1
		}
		i += n
	}
	b.WriteString(s[from:])
	b.WriteByte('"')
}

// values are the columns for mappings, those that are NULL left out. Numbers that
// a float64 can't hold exactly stay text; so do objects, for json_parse.
func (sh *shape) values(cells []sql.NullString) map[string]any {
	out := make(map[string]any, len(cells))
	for i, c := range sh.columns {
		if cells[i].Valid {
			out[c.name] = c.mapped(cells[i].String)
		}
	}
	return out
}

func (c column) mapped(text string) any {
	switch c.typ {
	case "BOOLEAN":
		return isTrue(text)
	case "BINARY":
		return base64.StdEncoding.EncodeToString([]byte(text))
	case "VARIANT", "OBJECT", "ARRAY", "MAP", "GEOGRAPHY", "GEOMETRY":
		var b bytes.Buffer
		if json.Compact(&b, []byte(text)) == nil {
			return b.String()
		}
	case "NUMBER":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(text, 64); err == nil && strings.TrimRight(text, "0") == strings.TrimRight(strconv.FormatFloat(f, 'f', -1, 64), "0") {
			return f
		}
	case "FLOAT":
		if f, err := strconv.ParseFloat(text, 64); err == nil && isNumber(text) {
			return f
		}
	}
	return text
}

// instant reads a watermark's text, if it is a point in time: without an offset
// it is taken as UTC.
func instant(text string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05.999999999Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
