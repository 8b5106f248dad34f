package msgraph

import (
	"slices"
	"sort"
	"time"
)

// changes is the log of a drive: each item once, at its latest change. It is in
// the order of sequence numbers, which count from 1.
type changes struct {
	log   []change
	last  int64 // the latest number given
	stale int   // entries whose item has changed since
}

type change struct {
	seq  int64
	item *item
	at   time.Time
}

func (c change) current() bool { return c.item.seq == c.seq }

// add makes an item the latest change.
func (l *changes) add(i *item, at time.Time) {
	l.forget(i)
	l.last++
	i.seq = l.last
	l.log = append(l.log, change{i.seq, i, at})
}

// forget takes an item out of the log.
func (l *changes) forget(i *item) {
	if i.seq == 0 {
		return
	}
	i.seq = 0
	if l.stale++; l.stale > 1024 && l.stale > len(l.log)/2 {
		l.log = slices.DeleteFunc(l.log, func(c change) bool { return !c.current() })
		l.stale = 0
	}
}

// after is the part of the log behind a sequence number.
func (l *changes) after(seq int64) []change {
	return l.log[sort.Search(len(l.log), func(i int) bool { return l.log[i].seq > seq }):]
}

// before is the number of the last change not later than a time.
func (l *changes) before(t time.Time) int64 {
	i := sort.Search(len(l.log), func(i int) bool { return l.log[i].at.After(t) })
	if i == 0 {
		return 0
	}
	return l.log[i-1].seq
}
