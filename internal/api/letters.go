package api

import (
	"context"
	"net/http"
	"strconv"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/syncing"
)

const lettersPath = syncPath + "/dead-letters"

func letterRoutes() []route {
	return tagged("Dead letters",
		op(http.MethodGet, lettersPath, "list_dead_letters", "List the items that failed three tries", access.Read, (*call).listLetters, inNamespace),
		op(http.MethodPost, lettersPath+"/retry", "retry_dead_letters", "Try dead letters again now", access.Write, (*call).retryLetters, inNamespace, optionalBody),
		op(http.MethodPost, lettersPath+"/purge", "purge_dead_letters", "Forget dead letters: their items are tried again when a pass meets them", access.Delete, (*call).purgeLetters, inNamespace, optionalBody),
	)
}

type letterQuery struct {
	Limit        int    `query:"limit" minimum:"1" maximum:"1000" default:"10"`
	Offset       int    `query:"offset" minimum:"0" maximum:"10000"`
	Cursor       string `query:"cursor" maxLength:"2000"`
	IncludeTotal bool   `query:"include_total"`
	Status       string `query:"status" fold:"upper" oneof:"OPEN,RETRY" doc:"OPEN or RETRY"`
	Kind         string `query:"kind" fold:"lower" oneof:"internal,invalid,unauthenticated,permission_denied,not_found,already_exists,conflict,throttled,unavailable,cursor_expired,stale,corrupt,canceled" doc:"the kind of error"`
}

type deadLetter struct {
	ID           string  `json:"id"`
	SyncConfigID string  `json:"sync_config_id"`
	SourceID     string  `json:"source_id"`
	SourcePath   string  `json:"source_path"`
	Version      string  `json:"version" doc:"the provider's version marks"`
	SizeBytes    *int64  `json:"size_bytes"`
	Status       string  `json:"status" enum:"OPEN,RETRY" doc:"RETRY: tried again by the next run"`
	Kind         string  `json:"kind" enum:"internal,invalid,unauthenticated,permission_denied,not_found,already_exists,conflict,throttled,unavailable,cursor_expired,stale,corrupt,canceled"`
	Code         *string `json:"code" doc:"the provider's"`
	Message      string  `json:"message"`
	Attempts     int     `json:"attempts"`
	RunID        string  `json:"run_id" doc:"the run that gave up"`
	CreatedAt    stamp   `json:"created_at"`
	UpdatedAt    stamp   `json:"updated_at"`
}

type letterListResponse struct {
	Results    []deadLetter `json:"results"`
	Pagination pagination   `json:"pagination"`
	Total      int64        `json:"total"`
}

func letterFilter(status, kind string) syncing.DeadLetterFilter {
	return syncing.DeadLetterFilter{Status: status, Kind: errs.ParseKind(kind), ByKind: kind != ""}
}

func (c *call) listLetters(q letterQuery, _ none) (out letterListResponse, err error) {
	sy, err := c.sync()
	if err != nil {
		return out, err
	}
	p := paging{Limit: q.Limit, Offset: q.Offset, Cursor: q.Cursor, IncludeTotal: q.IncludeTotal}
	f := letterFilter(q.Status, q.Kind)
	found, err := c.Store.DeadLetters().List(c.ctx(), c.org(), sy.ID, f, p.page())
	if err != nil {
		return out, err
	}
	total, err := c.Store.DeadLetters().Count(c.ctx(), c.org(), sy.ID, f)
	if err != nil {
		return out, err
	}
	out = letterListResponse{Results: make([]deadLetter, len(found.Items)), Pagination: p.answer(found.Next, total), Total: total}
	for i, l := range found.Items {
		out.Results[i] = deadLetter{
			ID: l.ID, SyncConfigID: string(l.Sync), SourceID: string(l.SourceID), SourcePath: l.SourcePath, Version: l.Version, Status: l.Status, Kind: l.Kind,
			Code: text(l.Code), Message: l.Message, Attempts: l.Attempts, RunID: string(l.Run), CreatedAt: at(l.CreatedAt), UpdatedAt: at(l.UpdatedAt),
		}
		if l.Size >= 0 {
			out.Results[i].SizeBytes = new(l.Size)
		}
	}
	return out, nil
}

type lettersRequest struct {
	IDs    []string `json:"ids,omitempty" maxLength:"100" doc:"these; without it all that the filter selects"`
	Kind   *string  `json:"kind,omitempty" fold:"lower" oneof:"internal,invalid,unauthenticated,permission_denied,not_found,already_exists,conflict,throttled,unavailable,cursor_expired,stale,corrupt,canceled" doc:"only of this kind of error"`
	Status *string  `json:"status,omitempty" fold:"upper" oneof:"OPEN,RETRY"`
}

func (r lettersRequest) filter() syncing.DeadLetterFilter {
	status, kind := "", ""
	if r.Status != nil {
		status = *r.Status
	}
	if r.Kind != nil {
		kind = *r.Kind
	}
	return letterFilter(status, kind)
}

type lettersResponse struct {
	Message string `json:"message"`
	Count   int64  `json:"count"`
}

func (c *call) retryLetters(_ none, r lettersRequest) (out lettersResponse, err error) {
	return c.letters(r, "dead letters are tried again", c.Syncs.RetryLetters)
}

func (c *call) purgeLetters(_ none, r lettersRequest) (out lettersResponse, err error) {
	return c.letters(r, "dead letters are forgotten", c.Syncs.PurgeLetters)
}

func (c *call) letters(r lettersRequest, what string,
	do func(context.Context, id.Org, audit.Actor, id.Bucket, id.Sync, syncing.DeadLetterFilter, []string) (int64, error),
) (out lettersResponse, err error) {
	b, err := c.live()
	if err != nil {
		return out, err
	}
	sy, err := c.syncOf(b)
	if err != nil {
		return out, err
	}
	var n int64
	if r.IDs == nil || len(r.IDs) > 0 { // an empty list names none, not all
		n, err = do(c.ctx(), c.org(), c.actor, b.ID, sy.ID, r.filter(), r.IDs)
	}
	return lettersResponse{Message: strconv.FormatInt(n, 10) + " " + what, Count: n}, err
}
