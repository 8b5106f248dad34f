package web

import (
	"net/http"
	"strconv"
	"time"

	"mooring/internal/access"
	"mooring/internal/audit"
	auditservice "mooring/internal/audit/service"
	"mooring/internal/errs"
)

const auditPath = "/audit"

func auditPages() []page {
	return []page{
		{"GET " + auditPath, access.Admin, (*visit).showTrail},
		{"POST " + auditPath + "/verify", access.Admin, (*visit).verifyTrail},
	}
}

// entriesShown is how many entries stand on one page.
const entriesShown = 50

type trailData struct {
	Now        time.Time
	Filters    []field
	Entries    []audit.Entry
	Total      int64
	All        bool
	First      bool
	Here, Next string
	Verdict    *trailVerdict
}

// trailVerdict is what a verification found.
type trailVerdict struct {
	auditservice.Verdict
	Valid   bool
	Message string
}

func (v *visit) showTrail() error { return v.trailPage(nil) }

func (v *visit) trailPage(verdict *trailVerdict) error {
	if err := v.reach().Covers(access.OfOrganization(v.org())); err != nil {
		return err
	}
	q := v.r.URL.Query()
	f := audit.Filter{ResourceType: q.Get("type"), ResourceID: q.Get("resource"), ActorID: q.Get("actor"), Action: q.Get("action")}
	f.Start, _ = time.Parse(time.DateOnly, q.Get("from"))
	if day, err := time.Parse(time.DateOnly, q.Get("to")); err == nil {
		f.End = day.AddDate(0, 0, 1) // the day is meant, to its end
	}
	skip, _ := strconv.Atoi(q.Get("skip"))
	skip = max(0, skip)
	entries, err := v.Store.Audit().List(v.ctx(), v.org(), f, skip, entriesShown)
	if err != nil {
		return err
	}
	total, err := v.Store.Audit().Count(v.ctx(), v.org(), f)
	if err != nil {
		return err
	}
	narrowed := said(q, "type", "resource", "actor", "action", "from", "to")
	d := trailData{
		Now: v.now(), Entries: entries, Total: total, All: len(narrowed) == 0, First: skip == 0, Here: withQuery(auditPath, narrowed), Verdict: verdict,
		Filters: []field{
			{Name: "type", Label: "Kind of resource", Kind: "select", Options: choices(f.ResourceType, "", "Any", audit.StorageConnection, "Connection", audit.Bucket, "Bucket or sync",
				audit.APIKey, "API key", audit.User, "User", audit.Namespace, "Namespace", audit.Webhook, "Webhook", audit.Organization, "Organization")},
			{Name: "resource", Label: "Resource id", Kind: "search", Value: f.ResourceID},
			{Name: "actor", Label: "Who (id)", Kind: "search", Value: f.ActorID},
			{Name: "action", Label: "Action", Kind: "search", Value: f.Action},
			{Name: "from", Label: "From", Kind: "date", Value: q.Get("from")},
			{Name: "to", Label: "To", Kind: "date", Value: q.Get("to")},
		},
	}
	if int64(skip+len(entries)) < total {
		narrowed.Set("skip", strconv.Itoa(skip+entriesShown))
		d.Next = withQuery(auditPath, narrowed)
	}
	return v.show(http.StatusOK, "audit.html", frame{Title: "Audit trail", Section: "audit", Data: d})
}

// verifyTrail finds out whether anything in the trail was changed. Nothing is
// changed by it, so that the page itself is the answer.
func (v *visit) verifyTrail() error {
	if err := v.reach().Covers(access.OfOrganization(v.org())); err != nil {
		return err
	}
	if v.Trails == nil {
		return errs.New(errs.Unavailable, "web.audit", "this process does not verify audit trails")
	}
	found, err := v.Trails.Verify(v.ctx(), v.org(), audit.Head{})
	if err != nil && !errs.Is(err, errs.Corrupt) {
		return err
	}
	verdict := trailVerdict{Verdict: found, Valid: err == nil}
	if err != nil {
		verdict.Message = sentence(errs.From(err).Message())
	}
	return v.trailPage(&verdict)
}
