package api

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/id"
	"mooring/internal/surface"
)

const auditPath = "/v1/organizations/audit"

func auditRoutes() []route {
	return tagged("Audit",
		op(http.MethodGet, auditPath+"/logs", "list_audit_logs_organizations", "Read the audit trail, newest first", access.Admin, (*call).listAudit),
		op(http.MethodGet, auditPath+"/logs/{audit_id}", "get_audit_log_organizations", "Show an entry", access.Admin, (*call).getAudit),
		op(http.MethodGet, auditPath+"/head", "get_audit_head", "The end of the trail, to be kept elsewhere", access.Admin, (*call).auditHead),
		op(http.MethodGet, auditPath+"/verify", "verify_audit_trail", "Whether anything in the trail was changed", access.Admin, (*call).verifyAudit),
		streams(auditPath+"/export", "export_audit_logs", "The trail as JSON lines, oldest first", linesType, access.Admin, (*call).exportAudit),
		op(http.MethodGet, auditPath+"/settings", "get_audit_settings_organizations", "What is audited", access.Admin, (*call).getAuditSettings),
		op(http.MethodPatch, auditPath+"/settings", "update_audit_settings_organizations", "Decide what is audited", access.Admin, (*call).updateAuditSettings, optionalBody),
	)
}

type auditEventResponse struct {
	AuditID      string         `json:"audit_id"`
	Timestamp    stamp          `json:"timestamp"`
	ResourceType string         `json:"resource_type"`
	ResourceID   string         `json:"resource_id"`
	Action       string         `json:"action"`
	ActorID      string         `json:"actor_id" doc:"a user, a key or system"`
	ActorType    string         `json:"actor_type" enum:"user,api_key,system"`
	Status       string         `json:"status" enum:"success,failure"`
	Changes      map[string]any `json:"changes" doc:"never secrets"`
	IPAddress    *string        `json:"ip_address"`
	UserAgent    *string        `json:"user_agent"`
	Sequence     int64          `json:"sequence" doc:"from 1, without gaps within an organization"`
	MAC          string         `json:"mac" doc:"chains the entry to the one before: HMAC-SHA-256, in hex"`
}

func auditModel(e audit.Entry) auditEventResponse {
	out := auditEventResponse{
		AuditID: string(e.ID), Timestamp: at(e.Time), ResourceType: e.ResourceType, ResourceID: e.ResourceID, Action: e.Action,
		ActorID: e.Actor.ID, ActorType: e.Actor.Type, Status: "success", IPAddress: text(e.Actor.IP), UserAgent: text(e.Actor.UserAgent), Sequence: e.Sequence,
		MAC: hex.EncodeToString(e.MAC),
	}
	out.Changes, _ = wire(orEmpty(e.Changes)).(map[string]any)
	if !e.Success {
		out.Status = "failure"
	}
	return out
}

type auditFilter struct {
	ResourceType string `query:"resource_type" fold:"lower" maxLength:"100"`
	ResourceID   string `query:"resource_id" maxLength:"200"`
	ActorID      string `query:"actor_id" maxLength:"200"`
	Action       string `query:"action" fold:"lower" maxLength:"100"`
	Start        *stamp `query:"start" doc:"inclusive"`
	End          *stamp `query:"end" doc:"exclusive"`
}

func (q auditFilter) filter() audit.Filter {
	f := audit.Filter{ResourceType: q.ResourceType, ResourceID: q.ResourceID, ActorID: q.ActorID, Action: q.Action}
	if q.Start != nil {
		f.Start = time.Time(*q.Start)
	}
	if q.End != nil {
		f.End = time.Time(*q.End)
	}
	return f
}

type auditQuery struct {
	auditFilter
	Skip  int `query:"skip" minimum:"0"`
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

type auditEventListResponse struct {
	Results []auditEventResponse `json:"results"`
	Total   int64                `json:"total"`
	Skip    int                  `json:"skip"`
	Limit   int                  `json:"limit"`
}

func (c *call) listAudit(q auditQuery, _ none) (out auditEventListResponse, err error) {
	if err := c.covers(access.OfOrganization(c.org())); err != nil {
		return out, err
	}
	f := q.filter()
	found, err := c.Store.Audit().List(c.ctx(), c.org(), f, q.Skip, q.Limit)
	if err != nil {
		return out, err
	}
	total, err := c.Store.Audit().Count(c.ctx(), c.org(), f)
	out = auditEventListResponse{Results: make([]auditEventResponse, len(found)), Total: total, Skip: q.Skip, Limit: q.Limit}
	for i, e := range found {
		out.Results[i] = auditModel(e)
	}
	return out, err
}

func (c *call) getAudit(none, none) (out auditEventResponse, err error) {
	if err := c.covers(access.OfOrganization(c.org())); err != nil {
		return out, err
	}
	name := c.r.PathValue("audit_id")
	e, err := c.Store.Audit().Get(c.ctx(), c.org(), id.Audit(name))
	return auditModel(e), surface.MissingIf(err, "audit entry", name)
}

type auditSettings struct {
	ReadAuditingEnabled bool `json:"read_auditing_enabled" doc:"whether reading buckets is audited too"`
}

func (c *call) getAuditSettings(none, none) (out auditSettings, err error) {
	if err := c.covers(access.OfOrganization(c.org())); err != nil {
		return out, err
	}
	org, err := c.Store.Organizations().Get(c.ctx(), c.org(), c.org())
	return auditSettings{org.Audit.ReadAuditing}, err
}

type auditSettingsUpdateRequest struct {
	ReadAuditingEnabled *bool `json:"read_auditing_enabled,omitempty"`
}

func (c *call) updateAuditSettings(_ none, r auditSettingsUpdateRequest) (out auditSettings, err error) {
	if err := c.covers(access.OfOrganization(c.org())); err != nil {
		return out, err
	}
	org, err := c.Access.SetReadAuditing(c.ctx(), c.org(), c.actor, r.ReadAuditingEnabled)
	return auditSettings{org.Audit.ReadAuditing}, err
}

// readAudits bounds the entries of reads that are being written at once. Beyond
// it, a read waits for its own: none is lost.
const readAudits = 64

// noteRead puts a read into the trail, where the organization wants that. The
// caller does not wait for it.
func (c *call) noteRead() {
	if c.read.ID == "" || c.route.need != access.Read {
		return
	}
	org, err := c.Store.Organizations().Get(c.ctx(), c.org(), c.org())
	if err != nil || !org.Audit.ReadAuditing {
		return
	}
	action := audit.BucketAccessed
	if c.read.Type == audit.Namespace {
		action = namespaceAccessed
	}
	entry := audit.Entry{
		ID: id.NewAudit(), Org: c.org(), Time: c.now(), ResourceType: c.read.Type, ResourceID: c.read.ID, Action: action,
		Actor: c.actor, Success: true, Changes: map[string]any{"operation": c.route.id},
	}
	ctx := context.WithoutCancel(c.ctx())
	write := func() {
		if err := c.Store.Audit().Append(ctx, entry.Org, []audit.Entry{entry}); err != nil {
			c.Log.Error("a read could not be audited", "route", surface.Of(c.w).Route, "error", err)
		}
	}
	select {
	case c.reads <- struct{}{}:
		go func() {
			defer func() { <-c.reads }()
			write()
		}()
	default:
		write()
	}
}

// namespaceAccessed is the contract's action for a read of a namespace.
const namespaceAccessed = "namespace_accessed"
