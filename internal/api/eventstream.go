package api

import (
	"net/http"
	"strings"
	"time"

	"mooring/internal/access"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/webhook"
)

func eventRoutes() []route {
	return tagged("Webhooks",
		streams("/v1/events", "stream_events", "Events as they happen (server-sent events); goes on behind Last-Event-ID", eventType, access.Admin, (*call).streamEvents),
	)
}

type eventsQuery struct {
	Types string `query:"types" maxLength:"1000" doc:"separated by commas: exact, or a kind as object.*; none: all"`
	After string `query:"after" maxLength:"50" doc:"the id after which to begin, as Last-Event-ID; 0: with the oldest that is kept. Without it: what happens from now on"`
}

// heartbeat keeps proxies from closing a stream in which nothing happens.
const heartbeat = 15 * time.Second

// streamEvents tells of events until the key ends or the client is gone. The id
// of each is its place: a client that comes back with the last one misses nothing.
func (c *call) streamEvents(q eventsQuery) error {
	if err := c.covers(access.OfOrganization(c.org())); err != nil || c.r.Method == http.MethodHead {
		return err
	}
	s := eventStream{call: c, types: strings.FieldsFunc(q.Types, func(r rune) bool { return r == ',' || r == ' ' }), conn: http.NewResponseController(c.w)}
	if err := s.begin(q.After); err != nil {
		return err
	}
	done, err := c.Guard.Stream(c.who.Key.ID)
	if err != nil {
		return err
	}
	defer done()
	h := c.w.Header()
	h.Set("Content-Type", eventType)
	h.Set("X-Accel-Buffering", "no")
	c.w.WriteHeader(http.StatusOK)
	s.run()
	return nil
}

type eventStream struct {
	*call
	conn     *http.ResponseController
	types    []string
	sequence int64 // of the event that is being told
	part     int   // the last message of it that was told
	limit    int   // events that are read at once
	missed   bool  // where the client was is not known here
	wrote    time.Time
}

// begin finds where to start.
func (s *eventStream) begin(after string) error {
	if last := s.r.Header.Get("Last-Event-ID"); last != "" {
		after = last
	}
	last, err := s.Store.Events().Last(s.ctx(), s.org())
	if err != nil || after == "" {
		s.sequence, s.part = last, allParts
		return err
	}
	sequence, part, ok := event.ParsePosition(after)
	if !strings.Contains(after, ".") {
		sequence, _, ok = event.ParsePosition(after + ".0")
		part = allParts
	}
	if !ok {
		at := errs.NewFields("query")
		at.Add("value_error", "must be the id of an event of this stream, or 0", "after")
		return at.Err("api.events")
	}
	if s.missed = sequence > last; s.missed { // an older backup was restored: what comes now has lower numbers
		sequence, part = last, allParts
	}
	s.sequence, s.part = sequence, part
	return nil
}

// allParts is more messages than an event has.
const allParts = 1 << 30

func (s *eventStream) run() {
	tick := time.NewTicker(s.EventInterval)
	defer tick.Stop()
	s.wrote, s.limit = time.Now(), 1
	if s.missed && s.tellGap() != nil {
		return
	}
	for checked := time.Now(); ; {
		more, err := s.some()
		if err != nil {
			return // the client has gone, or the server is going
		}
		if !more {
			select {
			case <-s.ctx().Done():
				return
			case <-tick.C:
			}
		}
		if more && time.Since(checked) < s.EventInterval { // the way to the present may be long
			continue
		}
		if !s.stillAdmitted() || s.covers(access.OfOrganization(s.org())) != nil {
			return
		}
		checked = time.Now()
	}
}

// some tells of the next events and reports whether there may be more. It reads
// those that stand for many one by one: each may be large.
func (s *eventStream) some() (more bool, err error) {
	const batch, large = 50, 100
	after := s.sequence
	if s.part != allParts {
		after = max(0, s.sequence-1)
	}
	list, err := s.Store.Events().List(s.ctx(), s.org(), after, s.limit)
	if err != nil {
		return false, err
	}
	if len(list) > 0 && s.sequence > 0 && list[0].Sequence > after+1 { // removed before they were asked for
		if err := s.tellGap(); err != nil {
			return false, err
		}
	}
	told, read := 0, s.limit
	for _, e := range list {
		messages := e.Messages()
		for _, m := range messages {
			if e.Sequence == s.sequence && m.Part <= s.part || !event.Match(s.types, m.Type) {
				continue
			}
			if err := s.tell(m); err != nil {
				return false, err
			}
		}
		s.sequence, s.part, told = e.Sequence, allParts, told+len(messages)
	}
	if s.limit = min(2*s.limit, batch); told > large {
		s.limit = 1
	}
	if time.Since(s.wrote) > heartbeat {
		err = s.write(": nothing yet\n\n")
	}
	return len(list) == read, err
}

func (s *eventStream) tellGap() error {
	return s.write("event: gap\ndata: {\"message\":\"events behind the last one are no longer kept: list what the bucket holds\"}\n\n")
}

func (s *eventStream) tell(m event.Message) error {
	body, err := webhook.Body(s.org(), m)
	if err != nil {
		return err
	}
	return s.write("id: " + m.Position() + "\nevent: " + m.Type + "\ndata: " + string(body) + "\n\n")
}

func (s *eventStream) write(text string) error {
	s.wrote = time.Now()
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.conn.Flush()
}
