//go:build mongo

package mongo

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// golden lists what the suite asks of the server, each with the index that serves it.
var golden = filepath.Join("testdata", "queries.txt")

// Why it is well that the server looks at what an index gives it for a field
// that the index does not bound.
const (
	chosen  = "a person filters a list, which is read in its order until a page is full, or is counted within what has the index"
	found   = "no index holds parts of a text; it is looked for within one organization or bucket"
	nearly  = "nearly all that the index gives have the value"
	few     = "what the index gives is little"
	another = "what the index gives goes on being asked for after a position, each document once for a pass"
)

// looked are those fields.
var looked = map[string]string{
	"audit action": chosen, "audit actor.id": chosen, "audit resource_type": chosen,
	"buckets derived.folded": found, "buckets derived.text": found, "buckets name": chosen, "buckets namespace_id": chosen,
	"connections derived.folded": found, "connections provider_type": chosen, "connections status": chosen, "connections last_used_at": chosen,
	"connections derived.host": few + ": hosts whose turn is over, of which the index has the names",
	"dead_letters kind":        chosen, "dead_letters status": chosen, "deliveries state": chosen,
	"objects derived.folded": found, "objects mime_type": chosen, "objects size": chosen, "objects sha256": chosen, "objects source_path": chosen,
	"objects updated_at": chosen, "objects connection_id": chosen, "objects sync_config_id": chosen,
	"objects state": nearly, "objects seen_pass": another,
	"objects duplicate_of": nearly + ": of one content, all but the first",
	"syncs deleted_at":     nearly, "syncs connection_id": few + ": syncs of one bucket", "syncs status": chosen,
}

// A shape is a query without its values.
type shape struct {
	collection string
	how        map[string]string // the condition on each field
	ties       []string          // the fields of $or
	sort       []string
	backwards  bool
}

// The conditions, from the one that bounds an index most.
var conditions = []string{"=", " in", " range", " prefix", " search", " not"}

func bounds(field, condition string) bool {
	return condition == " range" || condition == " prefix" || condition == " not" && field == "_id" // all but a few
}

func points(condition string) bool { return condition == "=" || condition == " in" }

func shapeOf(q Query) shape {
	s := shape{collection: q.Collection, how: map[string]string{}}
	s.add(q.Filter)
	for _, e := range q.Sort {
		backwards, _ := e.Value.(int)
		s.backwards = backwards < 0
		s.sort = append(s.sort, e.Key)
	}
	return s
}

func (s *shape) add(filter bson.D) {
	for _, e := range filter {
		switch list, _ := e.Value.(bson.A); e.Key {
		case "$and":
			for _, d := range list {
				s.add(d.(bson.D))
			}
		case "$or":
			var fields []string
			for _, d := range list {
				for _, e := range d.(bson.D) {
					fields = append(fields, e.Key)
				}
			}
			s.ties = append(s.ties, strings.Join(fields, " or "))
		case "$nor":
			for _, d := range list {
				for _, e := range d.(bson.D) {
					s.put(e.Key, " not")
				}
			}
		default:
			s.put(e.Key, conditionOf(e.Value))
		}
	}
}

// put adds a condition; of several on a field, the one that bounds most counts.
func (s *shape) put(field, condition string) {
	if was, twice := s.how[field]; !twice || slices.Index(conditions, condition) < slices.Index(conditions, was) {
		s.how[field] = condition
	}
}

func conditionOf(value any) string {
	switch v := value.(type) {
	case bson.Regex:
		if strings.HasPrefix(v.Pattern, "^") {
			return " prefix"
		}
		return " search"
	case bson.D:
		switch v[0].Key {
		case "$eq":
			return "="
		case "$in":
			return " in"
		case "$gt", "$gte", "$lt", "$lte":
			return " range"
		case "$ne", "$nin":
			return " not"
		}
		panic("a condition that no index is known for: " + v[0].Key)
	}
	return "="
}

func (s shape) String() string {
	var conditions []string
	for _, f := range slices.Sorted(maps.Keys(s.how)) {
		conditions = append(conditions, f+s.how[f])
	}
	conditions = append(conditions, s.ties...)
	out := s.collection + ": " + cmp.Or(strings.Join(conditions, ", "), "all")
	if s.sort != nil {
		out += "; by " + strings.Join(s.sort, " ") + map[bool]string{true: " backwards"}[s.backwards]
	}
	return out
}

// served says what of a shape an index leaves to be looked at, and whether it
// gives the documents in order. First come fields that have one value or some;
// then one that has a range; the order may begin with that one or follow.
func (s shape) served(x index) (left []string, inOrder bool) {
	fields, used := strings.Fields(x.fields), map[string]bool{}
	at, single := 0, true
	for ; at < len(fields) && points(s.how[fields[at]]); at++ {
		used[fields[at]] = true
		single = single && s.how[fields[at]] == "="
	}
	if x.unique && at == len(fields) { // it gives one document for each value
		return nil, single || s.sort == nil
	}
	if at < len(fields) && bounds(fields[at], s.how[fields[at]]) {
		used[fields[at]] = true
	}
	order := slices.DeleteFunc(slices.Clone(s.sort), func(f string) bool { return s.how[f] == "=" })
	rest := fields[at:]
	inOrder = len(order) == 0 || single && len(order) <= len(rest) && slices.Equal(order, rest[:len(order)])
	for _, f := range slices.Sorted(maps.Keys(s.how)) {
		if !used[f] {
			left = append(left, f)
		}
	}
	for _, tie := range s.ties { // a list goes on after a position that the range of its first field includes
		if len(order) != 2 || !used[order[0]] || tie != order[0]+" or "+order[1] {
			left = append(left, tie)
		}
	}
	if len(used) == 0 && len(s.how) > 0 || slices.Contains(left, "internal_id") { // all that there is, or the rows of others
		return left, false
	}
	return left, inOrder
}

// index is the one that leaves the least to be looked at.
func (s shape) index() (name string, left []string) {
	for _, x := range append([]index{{"_id", "_id", true}}, collections[s.collection]...) {
		if rest, ok := s.served(x); ok && (name == "" || len(rest) < len(left)) {
			name, left = x.name, rest
		}
	}
	return name, left
}

// questions are the shapes that were noted.
type questions struct {
	mu   sync.Mutex
	seen map[string]shape
}

var asked = questions{seen: map[string]shape{}}

func (q *questions) note(one Query) {
	s := shapeOf(one)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.seen[s.String()] = s
}

// Whatever the store asks of the server is served by an index, and the list of it all is
// the one that was reviewed.
func everyQueryHasItsIndex(t *testing.T) {
	asked.mu.Lock()
	defer asked.mu.Unlock()
	var list strings.Builder
	why := maps.Clone(looked)
	for _, text := range slices.Sorted(maps.Keys(asked.seen)) {
		s := asked.seen[text]
		name, left := s.index()
		if name == "" {
			t.Errorf("no index serves %s", text)
		}
		list.WriteString(text + "\n\t" + name)
		for _, l := range left {
			if looked[s.collection+" "+l] == "" {
				t.Errorf("%s: the index %s leaves %s to be looked at, which has no reason", text, name, l)
			}
			delete(why, s.collection+" "+l)
			list.WriteString(", then " + l)
		}
		list.WriteString("\n")
	}
	for l := range why {
		t.Errorf("nothing asks for %s any more", l)
	}
	t.Log("\n" + list.String())
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Error(err)
	}
	if list.String() != string(want) {
		actual := filepath.Join(t.ArtifactDir(), "queries.txt")
		if err := os.WriteFile(actual, []byte(list.String()), 0o600); err != nil {
			t.Error(err)
		}
		t.Errorf("%s is not what is asked: go test -artifacts keeps %s; look at what is new there before it takes its place", golden, actual)
	}
}
