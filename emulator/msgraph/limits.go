package msgraph

import (
	"strconv"
	"time"
)

// budget is what an app has spent in a tenant in the current minute.
type budget struct {
	began time.Time
	spent int
}

// units are what an operation costs.
func (x *exchange) units() int {
	switch x.entry.Operation {
	case GetSite, GetDrive, GetItem, GetContent:
		return 1
	case Delta:
		if x.query.Get("token") != "" || x.addr.token != "" {
			return 1
		}
		return 2
	case ListPermissions:
		return 5
	default:
		return 2
	}
}

// spend charges a request to its app, and refuses it when the minute's budget is
// used up. The lock is held.
func (x *exchange) spend(who *access) *Error {
	cost := x.units()
	x.s.log.note(func() { x.entry.Units = cost })
	limit := x.s.opts.UnitsPerMinute
	if limit <= 0 {
		return nil
	}
	now := x.s.now()
	key := who.tenant + "/" + who.client
	b := x.s.budgets[key]
	if b == nil || !now.Before(b.began.Add(time.Minute)) {
		b = &budget{began: now}
		x.s.budgets[key] = b
	}
	reset := b.began.Add(time.Minute).Sub(now)
	refused := b.spent+cost > limit
	if !refused {
		b.spent += cost
	}
	if b.spent*5 >= limit*4 || refused {
		x.plan.header("RateLimit-Limit", strconv.Itoa(limit))
		x.plan.header("RateLimit-Remaining", strconv.Itoa(limit-b.spent))
		x.plan.header("RateLimit-Reset", seconds(reset))
	}
	if refused {
		return throttled(seconds(reset))
	}
	return nil
}
