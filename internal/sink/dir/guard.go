package dir

import (
	"fmt"
	"sync"
	"time"

	"mooring/internal/errs"
)

// Space is what a file system has, for those who may write to it. A zero total
// is unknown.
type Space struct {
	FreeBytes, TotalBytes uint64
	FreeFiles, TotalFiles uint64
}

// Free is the share that is free, of bytes or of files, whichever is less; 1
// when nothing is known.
func (s Space) Free() float64 {
	free := 1.0
	if s.TotalBytes > 0 {
		free = min(free, float64(s.FreeBytes)/float64(s.TotalBytes))
	}
	if s.TotalFiles > 0 {
		free = min(free, float64(s.FreeFiles)/float64(s.TotalFiles))
	}
	return free
}

// String says how much is free, for people.
func (s Space) String() string {
	bytesOnly := Space{FreeBytes: s.FreeBytes, TotalBytes: s.TotalBytes}
	if s.Free() < bytesOnly.Free() {
		return fmt.Sprintf("%d of %d files", s.FreeFiles, s.TotalFiles)
	}
	return size(s.FreeBytes) + " of " + size(s.TotalBytes)
}

func size(n uint64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1000, 0
	for v >= 1000 && unit < len(units)-1 {
		v /= 1000
		unit++
	}
	return fmt.Sprintf("%.1f %cB", v, units[unit])
}

// The file system is asked again after this time or this many bytes, so that
// neither many small files nor a large one fill it unseen.
const (
	checkEvery = time.Second
	checkBytes = 64 << 20
)

// guard stops writing while too little is free.
type guard struct {
	space   func() (Space, error)
	now     func() time.Time
	minFree float64

	mu      sync.Mutex
	at      time.Time
	written int
	err     error
}

func (g *guard) init(o Options, ask func() (Space, error)) {
	g.space, g.now, g.minFree = ask, time.Now, o.MinFree
	if o.Space != nil {
		g.space = o.Space
	}
	if o.Now != nil {
		g.now = o.Now
	}
	if g.minFree == 0 {
		g.minFree = 0.05
	}
}

// check says whether something may be written.
func (g *guard) check() error {
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.at) >= checkEvery || now.Before(g.at) {
		g.ask(now)
	}
	return g.err
}

// wrote says the same, before n more bytes of content.
func (g *guard) wrote(n int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.written += n; g.written >= checkBytes {
		g.ask(g.now())
		return g.err
	}
	return nil
}

// ask asks the file system. One that doesn't answer stops nobody: writing to it
// will say what is wrong.
func (g *guard) ask(now time.Time) {
	g.at, g.written, g.err = now, 0, nil
	s, err := g.space()
	if err == nil && s.Free() < g.minFree {
		g.err = errs.New(errs.Unavailable, "dir.stage", fmt.Sprintf(
			"only %s are free where bucket content is kept, and writing stops below %.0f %%: free some space there, or give it more", s, 100*g.minFree))
	}
}

// full is the message for a disk that took no more.
func (g *guard) full() string {
	msg := "the disk or quota for bucket content is full"
	if s, err := g.space(); err == nil && s.TotalBytes > 0 {
		msg += " (free: " + s.String() + ")"
	}
	return msg + ": free some space there, or give it more"
}
