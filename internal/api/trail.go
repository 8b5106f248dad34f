package api

import (
	"encoding/json"
	"net/http"
	"time"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/errs"
)

type auditHeadResponse struct {
	Head     *string `json:"head" doc:"SEQUENCE:MAC of the last entry; null while there is none"`
	Sequence int64   `json:"sequence"`
	Time     *stamp  `json:"time" doc:"of the last entry"`
}

func headModel(h audit.Head) (out auditHeadResponse) {
	if h.Sequence > 0 {
		out = auditHeadResponse{Head: text(h.String()), Sequence: h.Sequence, Time: maybe(&h.Time)}
	}
	return out
}

func (c *call) trails() error {
	if c.Trails == nil {
		return errs.New(errs.Unavailable, "api.audit", "this process can't verify audit trails")
	}
	return c.covers(access.OfOrganization(c.org()))
}

func (c *call) auditHead(none, none) (out auditHeadResponse, err error) {
	if err := c.trails(); err != nil {
		return out, err
	}
	h, err := c.Trails.Head(c.ctx(), c.org())
	return headModel(h), err
}

type verifyAuditQuery struct {
	Head string `query:"head" maxLength:"100" doc:"SEQUENCE:MAC that was kept elsewhere"`
}

type verifyAuditResponse struct {
	Valid    bool              `json:"valid"`
	Message  string            `json:"message" doc:"what is wrong, and with which entry"`
	Verified int64             `json:"verified" doc:"entries"`
	Pruned   int64             `json:"pruned" doc:"entries that retention removed; a signed checkpoint stands for them"`
	End      auditHeadResponse `json:"end"`
}

// verifyAudit says that a trail is broken in its answer: the request itself
// went well.
func (c *call) verifyAudit(q verifyAuditQuery, _ none) (out verifyAuditResponse, err error) {
	if err := c.trails(); err != nil {
		return out, err
	}
	var kept audit.Head
	if q.Head != "" {
		if kept, err = audit.ParseHead(q.Head); err != nil {
			at := errs.NewFields("query")
			at.Add("value_error", "must be SEQUENCE:MAC, the MAC as 64 hex digits", "head")
			return out, at.Err("api.audit")
		}
	}
	v, err := c.Trails.Verify(c.ctx(), c.org(), kept)
	out = verifyAuditResponse{Valid: err == nil, Verified: v.Verified, Pruned: v.Pruned, End: headModel(v.Head), Message: "nothing was changed"}
	if errs.Is(err, errs.Corrupt) {
		out.Message = errs.From(err).Message()
		return out, nil
	}
	return out, err
}

// linesType is JSON, a value on each line.
const linesType = "application/x-ndjson"

// exportAudit writes what the filter selects. What comes while it writes, and
// has the same filter, is written too.
func (c *call) exportAudit(q auditFilter) error {
	if err := c.covers(access.OfOrganization(c.org())); err != nil {
		return err
	}
	f, after, began := q.filter(), int64(0), false
	out := json.NewEncoder(c.w)
	for {
		list, err := c.Store.Audit().Scan(c.ctx(), c.org(), after, 500)
		if err != nil && !began {
			return err
		}
		if !began {
			c.w.Header().Set("Content-Type", linesType)
			c.w.Header().Set("Content-Disposition", `attachment; filename="audit.jsonl"`)
			c.w.WriteHeader(http.StatusOK)
			began = true
		}
		if err != nil {
			panic(http.ErrAbortHandler) // a cut-off answer must not look complete
		}
		_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(time.Minute))
		for _, e := range list {
			after = e.Sequence
			if f.Match(e) && out.Encode(auditModel(e)) != nil {
				return nil //nolint:nilerr // the client is gone: nobody is told
			}
		}
		if len(list) < 500 {
			return nil
		}
	}
}
