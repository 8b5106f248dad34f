//go:build mongo

package e2e

import (
	"net"
	"net/url"
	"sync"
	"testing"

	"mooring/test/mongoserver"
)

// proxy stands between servers and their database. It can fall silent, as a network
// does that drops packets, and refuse, as a machine does that is gone.
type proxy struct {
	t          *testing.T
	to, at     string
	mu         sync.Mutex
	silent     chan struct{} // not nil: closed when it speaks again
	listener   net.Listener
	open       map[net.Conn]bool
	forwarding sync.WaitGroup
}

// proxied is a database of a server of its own behind a proxy, and its URI. What
// somebody else runs is not reached through it: drivers learn the addresses of a
// replica set from the set.
func proxied(t *testing.T) (p *proxy, uri string) {
	t.Helper()
	if mongoserver.Real() != "" {
		t.Skip("the proxy stands before a server of tools/mongoserver")
	}
	s := must(mongoserver.Start(t.TempDir()))(t)
	t.Cleanup(s.Kill)
	u := must(url.Parse(s.URI(mongoserver.NewName())))(t)
	p = &proxy{t: t, to: u.Host, at: "127.0.0.1:0", open: map[net.Conn]bool{}}
	p.mend()
	t.Cleanup(p.end)
	u.Host, u.RawQuery = p.at, "serverSelectionTimeoutMS=2000"
	return p, u.String()
}

// mend lets the database be there.
func (p *proxy) mend() {
	p.t.Helper()
	l, err := net.Listen("tcp", p.at)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener, p.at = l, l.Addr().String()
	p.forwarding.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.serve(c)
		}
	})
}

// hush keeps back what is sent from now on, in both directions.
func (p *proxy) hush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = make(chan struct{})
}

// refuse cuts all connections and takes no new ones. What was kept back is lost.
func (p *proxy) refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.listener.Close()
	for c := range p.open {
		_ = c.Close()
	}
	if p.silent != nil {
		close(p.silent)
		p.silent = nil
	}
}

func (p *proxy) end() {
	p.refuse()
	p.forwarding.Wait()
}

func (p *proxy) serve(c net.Conn) {
	there, err := net.Dial("tcp", p.to)
	if err != nil {
		_ = c.Close()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[c], p.open[there] = true, true
	p.forwarding.Go(func() { p.forward(c, there) })
	p.forwarding.Go(func() { p.forward(there, c) })
}

// forward copies until either side is closed.
func (p *proxy) forward(from, to net.Conn) {
	defer func() {
		_, _ = from.Close(), to.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, from)
		delete(p.open, to)
	}()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		p.mu.Lock()
		silent := p.silent
		p.mu.Unlock()
		if silent != nil {
			<-silent
			return
		}
		if _, w := to.Write(b[:n]); err != nil || w != nil {
			return
		}
	}
}
