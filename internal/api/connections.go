package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"mooring/internal/access"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/store"
	"mooring/internal/surface"
)

const (
	connectionsPath = "/v1/organizations/connections"
	connectionPath  = connectionsPath + "/{connection_identifier}"
)

func connectionRoutes() []route {
	return tagged("Connections",
		op(http.MethodPost, connectionsPath, "create_storage_connection_organizations", "Connect a storage", access.Admin, (*call).createConnection, creates),
		op(http.MethodPost, connectionsPath+"/list", "list_storage_connections_organizations", "List connections, newest first", access.Read, (*call).listConnections, optionalBody),
		op(http.MethodGet, connectionPath, "get_storage_connection_organizations", "Show a connection, by id or name", access.Read, (*call).getConnection),
		op(http.MethodPatch, connectionPath, "update_storage_connection_organizations", "Change a connection; status=ARCHIVED needs the permission delete", access.Write, (*call).updateConnection, creates, optionalBody),
		op(http.MethodDelete, connectionPath, "delete_storage_connection_organizations", "Archive a connection for good and destroy its credentials", access.Delete, (*call).archiveConnection),
		op(http.MethodPost, connectionPath+"/test", "test_storage_connection_organizations", "Prove that a connection works now", access.Write, (*call).testConnection),
		op(http.MethodGet, connectionPath+"/folders", "list_google_drive_folders_organizations_connections", "List the folders directly below a path", access.Read, (*call).listFolders),
		op(http.MethodGet, connectionPath+"/files", "list_google_drive_files_organizations_connections", "List the files directly below a path", access.Read, (*call).listFiles),
		op(http.MethodGet, connectionPath+"/browse", "browse_connection", "List folders and files directly below a path", access.Read, (*call).browse),
		op(http.MethodGet, "/v1/organizations/external-id", "get_external_id", "The external id that is issued to this organization, for the trust policies of its AWS roles", access.Read, (*call).externalID),
	)
}

type storageConnectionModel struct {
	ConnectionID        string         `json:"connection_id"`
	InternalID          string         `json:"internal_id" doc:"the organization"`
	ProviderType        string         `json:"provider_type"`
	ProviderConfig      map[string]any `json:"provider_config" doc:"secrets are shown as a marker of 40 characters, which may be sent back to keep them"`
	Name                string         `json:"name"`
	Description         *string        `json:"description"`
	Status              string         `json:"status" enum:"ACTIVE,SUSPENDED,FAILED,ARCHIVED"`
	IsActive            bool           `json:"is_active" doc:"whether status is ACTIVE"`
	LastUsedAt          *stamp         `json:"last_used_at"`
	LastError           *string        `json:"last_error"`
	ConsecutiveFailures int            `json:"consecutive_failures" doc:"the fifth suspends"`
	CreatedAt           stamp          `json:"created_at"`
	UpdatedAt           stamp          `json:"updated_at"`
	CreatedByUserID     string         `json:"created_by_user_id"`
	Metadata            map[string]any `json:"metadata"`

	SuspendedBy          *string `json:"suspended_by" doc:"user or system"`
	StatusReason         *string `json:"status_reason"`
	LastCheckedAt        *stamp  `json:"last_checked_at"`
	NextCheckAt          *stamp  `json:"next_check_at"`
	CredentialsDestroyed bool    `json:"credentials_destroyed"`
	CheckIntervalSeconds *int64  `json:"check_interval_seconds" doc:"between checks while all is well; null: the server's"`
	CredentialsExpireAt  *stamp  `json:"credentials_expire_at" doc:"as a user says; credentials.expiring is raised 7 days before"`
	Advice               *string `json:"advice" doc:"what to do, though all works now"`
}

func connectionModel(c connection.Connection) storageConnectionModel {
	return storageConnectionModel{
		ConnectionID: string(c.ID), InternalID: string(c.Org), ProviderType: c.Provider, ProviderConfig: config.Redact(c.Config),
		Name: c.Name, Description: c.Description, Status: string(c.Status), IsActive: c.IsActive(), LastUsedAt: maybe(c.LastUsedAt),
		LastError: c.LastError, ConsecutiveFailures: c.Failures, CreatedAt: at(c.CreatedAt), UpdatedAt: at(c.UpdatedAt),
		CreatedByUserID: c.CreatedBy, Metadata: orEmpty(c.Metadata),
		SuspendedBy: text(c.SuspendedBy), StatusReason: text(c.StatusReason), LastCheckedAt: maybe(c.LastCheckedAt),
		NextCheckAt: maybe(c.NextCheckAt), CredentialsDestroyed: c.CredentialsDestroyed,
		CheckIntervalSeconds: c.CheckInterval, CredentialsExpireAt: maybe(c.CredentialsExpireAt), Advice: text(c.StandingAdvice(time.Now())),
	}
}

type storageConnectionCreateRequest struct {
	Name           string         `json:"name" doc:"unique within the organization; 1 to 100 characters"`
	ProviderType   string         `json:"provider_type" fold:"lower" doc:"google_drive, s3, sharepoint, snowflake or tigris"`
	ProviderConfig map[string]any `json:"provider_config" doc:"the provider's own fields, and credentials"`
	Description    *string        `json:"description,omitempty" doc:"at most 500 characters"`
	Metadata       map[string]any `json:"metadata,omitempty"`
	TestBeforeSave *bool          `json:"test_before_save,omitempty" doc:"default true: a connection that does not work is not saved"`

	CheckIntervalSeconds *int64 `json:"check_interval_seconds,omitempty" doc:"60 to 86400, between checks while all is well"`
	CredentialsExpireAt  *stamp `json:"credentials_expire_at,omitempty" doc:"when the credentials expire, where you know"`
}

func (c *call) createConnection(_ none, r storageConnectionCreateRequest) (out storageConnectionModel, err error) {
	if err := c.covers(access.OfConnection(c.org(), "")); err != nil {
		return out, err
	}
	if c.Providers != nil && config.Supported(r.ProviderType) && !slices.Contains(c.Providers, r.ProviderType) {
		f := errs.NewFields("body")
		f.Add("enum", "this server has no adapter for "+r.ProviderType+": it is not supported yet", "provider_type")
		return out, f.Err("connection.create")
	}
	made, err := c.Connections.Create(c.ctx(), c.org(), c.actor, connectionservice.CreateRequest{
		Name: r.Name, Description: r.Description, Metadata: r.Metadata, Provider: r.ProviderType,
		ProviderConfig: r.ProviderConfig, TestBeforeSave: r.TestBeforeSave, User: c.user(),
		CheckInterval: r.CheckIntervalSeconds, CredentialsExpireAt: timeOf(r.CredentialsExpireAt),
	})
	return connectionModel(made), err
}

type listStorageConnectionsRequest struct {
	ProviderType *string `json:"provider_type,omitempty" fold:"lower" oneof:"google_drive,s3,snowflake,sharepoint,tigris,postgresql,instagram,tiktok,rss,http_api,box"`
	Status       *string `json:"status,omitempty" fold:"upper" doc:"in any case"`
	IsActive     *bool   `json:"is_active,omitempty"`
	StaleDays    *int    `json:"stale_days,omitempty" minimum:"1" maximum:"3650" doc:"only those never used, or not for so many days"`
}

type storageConnectionListResponse struct {
	Results    []storageConnectionModel `json:"results"`
	Pagination pagination               `json:"pagination"`
	Total      int64                    `json:"total"`
}

func (c *call) listConnections(p paging, r listStorageConnectionsRequest) (out storageConnectionListResponse, err error) {
	f := connection.Filter{IsActive: r.IsActive}
	if r.ProviderType != nil {
		f.Provider = *r.ProviderType
	}
	if r.StaleDays != nil {
		f.UnusedSince = c.now().AddDate(0, 0, -*r.StaleDays)
	}
	if r.Status != nil {
		if f.Status, err = listStatus(*r.Status); err != nil {
			return out, err
		}
	}
	found, total, err := surface.List(c.ctx(), c.who, p.page(), surface.Source[connection.Connection]{
		List: func(ctx context.Context, p store.Page) (store.List[connection.Connection], error) {
			return c.Connections.List(ctx, c.org(), f, p)
		},
		Count: func(ctx context.Context) (int64, error) { return c.Connections.Count(ctx, c.org(), f) },
		Resource: func(x connection.Connection) access.Resource {
			return access.OfConnection(c.org(), x.ID)
		},
		Position: func(x connection.Connection) surface.Position {
			return surface.Position{Created: x.CreatedAt, ID: string(x.ID)}
		},
	})
	if err != nil {
		return out, err
	}
	out = storageConnectionListResponse{Results: make([]storageConnectionModel, len(found.Items)), Pagination: p.answer(found.Next, total), Total: total}
	for i, x := range found.Items {
		out.Results[i] = connectionModel(x)
	}
	return out, nil
}

// statusNames are the contract's TaskStatusEnum: a filter by any of them is
// good, even where nothing can have it.
const statusNames = "PENDING,IN_PROGRESS,PROCESSING,COMPLETED,COMPLETED_WITH_ERRORS,FAILED,CANCELED,UNKNOWN,SKIPPED,DRAFT,ACTIVE,ARCHIVED,SUSPENDED"

func listStatus(s string) (connection.Status, error) {
	status := connection.ParseStatus(s)
	if !member(string(status), statusNames) {
		f := errs.NewFields("body")
		f.Add("enum", "must be ACTIVE, SUSPENDED, FAILED or ARCHIVED", "status")
		return "", f.Err("api.list")
	}
	return status, nil
}

// connection finds the one that the path names, if the key's scopes reach it.
func (c *call) connection() (connection.Connection, error) {
	return c.reach().Connection(c.ctx(), c.r.PathValue("connection_identifier"))
}

func (c *call) getConnection(none, none) (storageConnectionModel, error) {
	found, err := c.connection()
	return connectionModel(found), err
}

type storageConnectionUpdateRequest struct {
	Name           *string        `json:"name,omitempty"`
	Description    *string        `json:"description,omitempty" doc:"an empty one clears"`
	Metadata       map[string]any `json:"metadata,omitempty" doc:"replaces all"`
	Status         *string        `json:"status,omitempty" doc:"ACTIVE resumes, SUSPENDED (or paused) suspends, ARCHIVED ends for good; in any case"`
	IsActive       *bool          `json:"is_active,omitempty" doc:"without status: true resumes, false suspends"`
	ProviderConfig map[string]any `json:"provider_config,omitempty" doc:"replaces the whole configuration; markers keep stored secrets"`
	TestBeforeSave *bool          `json:"test_before_save,omitempty" doc:"default true: test a changed configuration first"`
	StatusReason   *string        `json:"status_reason,omitempty" maxLength:"1000" doc:"of a suspension"`

	CheckIntervalSeconds *int64   `json:"check_interval_seconds,omitempty" doc:"60 to 86400, or 0 for the server's"`
	CredentialsExpireAt  erasable `json:"credentials_expire_at,omitempty" doc:"null: not known"`
}

func (c *call) updateConnection(_ none, r storageConnectionUpdateRequest) (out storageConnectionModel, err error) {
	found, err := c.connection()
	if err != nil {
		return out, err
	}
	if r.Status != nil && connection.ParseStatus(*r.Status) == connection.Archived {
		if err := surface.Archive(c.who, found.ID); err != nil {
			return out, err
		}
	}
	change := connectionservice.UpdateRequest{
		Name: r.Name, Description: r.Description, Metadata: r.Metadata, ProviderConfig: r.ProviderConfig,
		Status: r.Status, IsActive: r.IsActive, TestBeforeSave: r.TestBeforeSave,
	}
	change.CheckInterval, change.CredentialsExpireAt = r.CheckIntervalSeconds, r.CredentialsExpireAt.time
	if r.CredentialsExpireAt.erase {
		change.CredentialsExpireAt = new(time.Time)
	}
	if r.StatusReason != nil {
		change.Reason = *r.StatusReason
	}
	changed, err := c.Connections.Update(c.ctx(), c.org(), c.actor, string(found.ID), change)
	return connectionModel(changed), err
}

type connectionDeleteResponse struct {
	Message      string `json:"message"`
	ConnectionID string `json:"connection_id"`
	Status       string `json:"status" enum:"ARCHIVED"`
}

func (c *call) archiveConnection(none, none) (out connectionDeleteResponse, err error) {
	found, err := c.connection()
	if err != nil {
		return out, err
	}
	ended, err := c.Connections.Archive(c.ctx(), c.org(), c.actor, string(found.ID))
	message := "the connection is archived"
	if ended.CredentialsDestroyed {
		message += " and its credentials are destroyed"
	}
	return connectionDeleteResponse{Message: message, ConnectionID: string(found.ID), Status: string(ended.Status)}, err
}

type storageConnectionTestResponse struct {
	Success bool           `json:"success"`
	Message string         `json:"message"`
	Details map[string]any `json:"details" doc:"latency_ms; of a failure: kind, scope, error_code, request_id, field"`
}

func (c *call) testConnection(none, none) (out storageConnectionTestResponse, err error) {
	found, err := c.connection()
	if err != nil {
		return out, err
	}
	result, err := c.Connections.Test(c.ctx(), c.org(), c.actor, string(found.ID))
	if err != nil && errs.From(err).Origin == errs.Provider {
		e := errs.From(err)
		return storageConnectionTestResponse{Message: e.Message(), Details: map[string]any{"kind": e.Kind.String(), "error_code": e.Code, "request_id": e.RequestID}}, nil
	}
	return storageConnectionTestResponse{Success: result.Success, Message: result.Message, Details: orEmpty(result.Details)}, err
}

type externalIDResponse struct {
	ExternalID string `json:"external_id" doc:"to be put into the trust policy of a role as sts:ExternalId"`
}

func (c *call) externalID(none, none) (externalIDResponse, error) {
	return externalIDResponse{connectionservice.ExternalIDFor(c.org())}, nil
}
