package snowflake

import (
	"regexp"
	"strings"
)

var decimal = regexp.MustCompile(`^-?[0-9]{1,38}(\.[0-9]{1,37})?$`)

// columns adds to the condition on a key's text what it says of each column, as
// far as that is simple: the server then reads only the parts of the table that
// can hold the row, which an expression of text does not tell it.
func (c *conditions) columns(keys []column, key string) {
	parts := []string{key}
	if len(keys) > 1 {
		parts = strings.Split(key, "/")
	}
	if len(parts) != len(keys) {
		return
	}
	for i, k := range keys {
		text := parts[i]
		switch {
		case text == "%00":
			c.add(k.sql() + " IS NULL")
		case k.typ == "NUMBER" && decimal.MatchString(text):
			c.add(k.sql()+" = "+k.bound(), text)
		case k.typ == "VARCHAR" && !k.coll:
			c.add(k.sql()+" = ?", unescape(text))
		}
	}
}

// unescape is the inverse of what part does to a text.
func unescape(text string) string {
	return strings.NewReplacer("%2F", "/", "%25", "%").Replace(text)
}
