package api

import (
	"net/http"

	"mooring/internal/access"
	accessservice "mooring/internal/access/service"
)

const (
	keysPath = "/v1/organizations/users/{user_email}/api-keys"
	keyPath  = keysPath + "/{key_name}"
)

func keyRoutes() []route {
	return tagged("API keys",
		op(http.MethodPost, keysPath, "create_key_organizations_users_email", "Make a key for a user; it is shown this once", access.Admin, (*call).createKey),
		op(http.MethodGet, keysPath, "list_keys_organizations_users_email", "List a user's keys", access.Admin, (*call).listKeys),
		op(http.MethodPatch, keyPath, "update_key_organizations_users_email_name", "Change a key", access.Admin, (*call).updateKey, optionalBody),
		op(http.MethodDelete, keyPath, "delete_key_organizations_users_email_name", "End a key at once", access.Admin, (*call).revokeKey),
		op(http.MethodPost, keyPath+"/rotate", "rotate_key_organizations_users_email_name", "Replace a key; the old one stops working", access.Admin, (*call).rotateKey),
	)
}

// APIKeyModel is a key as responses show it: never its hash.
type APIKeyModel struct {
	KeyID             string          `json:"key_id"`
	KeyHash           string          `json:"key_hash" doc:"always empty"`
	KeyPrefix         string          `json:"key_prefix"`
	KeyType           string          `json:"key_type" enum:"standard"`
	SubscriptionID    *string         `json:"subscription_id"`
	InternalID        string          `json:"internal_id"`
	OrganizationID    string          `json:"organization_id"`
	UserID            string          `json:"user_id"`
	Name              string          `json:"name"`
	Description       string          `json:"description"`
	Permissions       []string        `json:"permissions" enum:"read,write,delete,admin"`
	Scopes            []resourceScope `json:"scopes" doc:"none: unrestricted"`
	RateLimitOverride *int            `json:"rate_limit_override" doc:"requests a minute"`
	Status            string          `json:"status" enum:"active,revoked,expired"`
	ExpiresAt         *stamp          `json:"expires_at"`
	LastUsedAt        *stamp          `json:"last_used_at"`
	CreatedAt         stamp           `json:"created_at"`
	CreatedBy         *string         `json:"created_by"`
	RevokedAt         *stamp          `json:"revoked_at"`
	RevokedBy         *string         `json:"revoked_by"`
	AllowedOrigins    *string         `json:"allowed_origins" doc:"always null"`
}

type resourceScope struct {
	ResourceType string   `json:"resource_type" fold:"lower" oneof:"organization,user,api_key,namespace,collection,bucket,retriever,cluster,taxonomy,storage_connection,alert"`
	ResourceID   string   `json:"resource_id" minLength:"1" maxLength:"100" doc:"an id, or a pattern with *"`
	Operations   []string `json:"operations,omitempty" fold:"lower" oneof:"read_data,write_data,delete_data,execute_retriever,create_retriever,delete_retriever,execute_job,cancel_job,create_cluster,delete_cluster,modify_cluster,modify_infrastructure,manage_permissions"`
}

func (c *call) keyModel(k access.APIKey) APIKeyModel {
	out := APIKeyModel{
		KeyID: string(k.ID), KeyPrefix: k.Prefix, KeyType: "standard", InternalID: string(k.Org), OrganizationID: string(k.Org), UserID: string(k.User),
		Name: k.Name, Description: k.Description, Permissions: []string{}, Scopes: []resourceScope{}, RateLimitOverride: k.RateLimit,
		Status: accessservice.StatusOf(k, c.Now()), ExpiresAt: maybe(k.ExpiresAt), LastUsedAt: maybe(k.LastUsedAt), CreatedAt: at(k.CreatedAt),
		CreatedBy: text(k.CreatedBy), RevokedAt: maybe(k.RevokedAt), RevokedBy: text(k.RevokedBy),
	}
	for _, p := range k.Permissions {
		out.Permissions = append(out.Permissions, string(p))
	}
	for _, s := range k.Scopes {
		out.Scopes = append(out.Scopes, resourceScope(s))
	}
	return out
}

type apiKeyCreateResponse struct {
	APIKeyModel
	Key string `json:"key" doc:"the key itself, shown this once"`
}

type apiKeyCreateRequest struct {
	Name              string          `json:"name" minLength:"1" maxLength:"100"`
	Description       *string         `json:"description,omitempty" maxLength:"500"`
	Permissions       []string        `json:"permissions,omitempty" fold:"lower" oneof:"read,write,delete,admin" doc:"default read; each includes those before it: read, write, delete, admin"`
	Scopes            []resourceScope `json:"scopes,omitempty"`
	RateLimitOverride *int            `json:"rate_limit_override,omitempty" minimum:"1" maximum:"1000000" doc:"requests a minute"`
	ExpiresAt         *stamp          `json:"expires_at,omitempty"`
}

func permissions(names []string) []access.Permission {
	out := make([]access.Permission, len(names))
	for i, n := range names {
		out[i] = access.Permission(n)
	}
	return out
}

func scopes(list []resourceScope) []access.Scope {
	out := make([]access.Scope, len(list))
	for i, s := range list {
		out[i] = access.Scope(s)
	}
	return out
}

// keyOwner is the user that the path names. Keys are a matter of the whole
// organization: a key whose scopes do not cover it may not see or make any.
func (c *call) keyOwner() (string, error) {
	return c.r.PathValue("user_email"), c.covers(access.OfOrganization(c.org()))
}

func (c *call) createKey(_ none, r apiKeyCreateRequest) (out apiKeyCreateResponse, err error) {
	email, err := c.keyOwner()
	if err != nil {
		return out, err
	}
	request := accessservice.KeyRequest{
		Name: r.Name, Permissions: permissions(r.Permissions), Scopes: scopes(r.Scopes), RateLimit: r.RateLimitOverride, ExpiresAt: timeOf(r.ExpiresAt),
	}
	if r.Description != nil {
		request.Description = *r.Description
	}
	k, plain, err := c.Access.CreateKey(c.ctx(), c.org(), &c.who, c.actor, email, request)
	return apiKeyCreateResponse{c.keyModel(k), plain.Reveal()}, err
}

type keysQuery struct {
	IncludeRevoked bool `query:"include_revoked"`
}

type apiKeyListResponse struct {
	Results []APIKeyModel `json:"results"`
	Total   int           `json:"total"`
}

func (c *call) listKeys(q keysQuery, _ none) (out apiKeyListResponse, err error) {
	email, err := c.keyOwner()
	if err != nil {
		return out, err
	}
	found, err := c.Access.Keys(c.ctx(), c.org(), email, q.IncludeRevoked)
	out = apiKeyListResponse{Results: make([]APIKeyModel, len(found)), Total: len(found)}
	for i, k := range found {
		out.Results[i] = c.keyModel(k)
	}
	return out, err
}

type apiKeyUpdateRequest struct {
	Name              *string          `json:"name,omitempty" minLength:"1" maxLength:"100"`
	Description       *string          `json:"description,omitempty" maxLength:"500"`
	Permissions       *[]string        `json:"permissions,omitempty" fold:"lower" oneof:"read,write,delete,admin" doc:"replaces"`
	Scopes            *[]resourceScope `json:"scopes,omitempty" doc:"replaces; an empty list: unrestricted"`
	RateLimitOverride *int             `json:"rate_limit_override,omitempty" minimum:"1" maximum:"1000000"`
	ExpiresAt         erasable         `json:"expires_at,omitempty" doc:"null: never"`
	Status            *string          `json:"status,omitempty" fold:"lower" oneof:"active,revoked,expired" doc:"revoked ends the key"`
}

func (c *call) updateKey(_ none, r apiKeyUpdateRequest) (out APIKeyModel, err error) {
	email, err := c.keyOwner()
	if err != nil {
		return out, err
	}
	change := accessservice.KeyChange{
		Name: r.Name, Description: r.Description, RateLimit: r.RateLimitOverride, ExpiresAt: r.ExpiresAt.time, ClearExpiry: r.ExpiresAt.erase, Status: r.Status,
	}
	if r.Permissions != nil {
		change.Permissions = new(permissions(*r.Permissions))
	}
	if r.Scopes != nil {
		change.Scopes = new(scopes(*r.Scopes))
	}
	k, err := c.Access.UpdateKey(c.ctx(), c.who, c.actor, email, c.r.PathValue("key_name"), change)
	return c.keyModel(k), err
}

type genericSuccessResponse struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
}

func (c *call) revokeKey(none, none) (out genericSuccessResponse, err error) {
	email, err := c.keyOwner()
	if err != nil {
		return out, err
	}
	err = c.Access.RevokeKey(c.ctx(), c.who, c.actor, email, c.r.PathValue("key_name"))
	return genericSuccessResponse{true, "the key is revoked"}, err
}

func (c *call) rotateKey(none, none) (out apiKeyCreateResponse, err error) {
	email, err := c.keyOwner()
	if err != nil {
		return out, err
	}
	k, plain, err := c.Access.RotateKey(c.ctx(), c.who, c.actor, email, c.r.PathValue("key_name"))
	return apiKeyCreateResponse{c.keyModel(k), plain.Reveal()}, err
}
