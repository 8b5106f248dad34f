package msgraph

import (
	"testing"
	"time"
)

// The log does not grow with the changes of the same items, and loses none.
func TestChangesAreCompacted(t *testing.T) {
	var l changes
	items := []*item{{name: "a"}, {name: "b"}, {name: "c"}}
	for i := range 100_000 {
		l.add(items[i%2], time.Time{})
	}
	l.add(items[2], time.Time{})
	if len(l.log) > 3000 {
		t.Errorf("%d entries for three items", len(l.log))
	}
	var got string
	for _, c := range l.after(0) {
		if c.current() {
			got += c.item.name
		}
	}
	if got != "abc" || len(l.after(l.last)) != 0 || len(l.after(l.last-1)) != 1 {
		t.Errorf("the log says %s", got)
	}
}
