package gdrive

import (
	"sort"
	"time"
)

// changeLog is the history of a corpus: of one user, or of one shared drive. Each
// file or drive has at most one entry, that of its latest change. Changes are
// numbered over the whole server.
type changeLog struct {
	entries []entry        // ascending by n; what was superseded has no subject
	at      map[string]int // index into entries, by id of the subject
	dead    int
}

// entry is one change. Its subject is told as it is when the log is read.
type entry struct {
	n     int64
	time  time.Time
	item  *item  // either this
	drive *drive // or this
	left  int64  // the change by which the item went from a My Drive to a shared drive, 0 for none
}

func (e entry) id() string {
	if e.drive != nil {
		return e.drive.root.id
	}
	return e.item.id
}

// key tells the entry of a shared drive from that of its root folder.
func (e entry) key() string {
	if e.drive != nil {
		return "drive/" + e.id()
	}
	return e.id()
}

// add appends an entry, which supersedes the earlier one of the same subject.
func (l *changeLog) add(e entry) {
	key := e.key()
	if i, ok := l.at[key]; ok {
		if e.item != nil && e.item.drive() != nil {
			e.left = max(e.left, l.entries[i].left)
		}
		l.entries[i].item, l.entries[i].drive = nil, nil
		l.dead++
	}
	if l.dead > 1024 && l.dead > len(l.entries)/2 {
		l.compact()
	}
	if l.at == nil {
		l.at = map[string]int{}
	}
	l.at[key] = len(l.entries)
	l.entries = append(l.entries, e)
}

func (l *changeLog) compact() {
	live := make([]entry, 0, len(l.entries)-l.dead+1)
	l.at = make(map[string]int, cap(live))
	for _, e := range l.entries {
		if e.item == nil && e.drive == nil {
			continue
		}
		l.at[e.key()] = len(live)
		live = append(live, e)
	}
	l.entries, l.dead = live, 0
}

// since returns the entries from number n on, superseded ones included.
func (l *changeLog) since(n int64) []entry {
	return l.entries[sort.Search(len(l.entries), func(i int) bool { return l.entries[i].n >= n }):]
}

// audience are the logs in which a change of an item belongs, each once.
func (s *Server) audience(i *item) []*changeLog {
	var out []*changeLog
	add := func(l *changeLog) {
		for _, have := range out {
			if have == l {
				return
			}
		}
		out = append(out, l)
	}
	for f := i; f != nil; f = f.parent {
		for _, u := range f.grants {
			add(&u.log)
		}
		switch {
		case f.parent != nil:
		case f.home.drive != nil:
			add(&f.home.drive.log)
			for _, u := range f.home.drive.members {
				add(&u.log)
			}
		default:
			add(&f.home.user.log)
		}
	}
	return out
}

// record notes a change of an item in the logs of those who could see it before
// and those who see it now.
func (s *Server) record(i *item, before []*changeLog, wasIn *drive) {
	s.change++
	i.version++
	e := entry{n: s.change, time: s.now(), item: i}
	if wasIn == nil && i.drive() != nil {
		e.left = e.n
	}
	for _, l := range before {
		l.add(e)
	}
	for _, l := range s.audience(i) {
		if len(l.entries) == 0 || l.entries[len(l.entries)-1].n != e.n {
			l.add(e)
		}
	}
}

// recordDrive notes a change of a shared drive for its members and for others who
// are named, who are or were members.
func (s *Server) recordDrive(d *drive, others ...*user) {
	s.change++
	e := entry{n: s.change, time: s.now(), drive: d}
	d.log.add(e)
	for _, u := range append(others, d.members...) {
		if l := &u.log; len(l.entries) == 0 || l.entries[len(l.entries)-1].n != e.n {
			l.add(e)
		}
	}
}
