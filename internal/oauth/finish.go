package oauth

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"mooring/internal/audit"
	"mooring/internal/connection"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/secret"
)

// answer turns what a browser brings back into a refresh token.
func (s *Service) answer(ctx context.Context, q url.Values, p provider, client connectionservice.OAuthClient, verifier secret.String) (secret.String, error) {
	none := secret.String{}
	if iss := q.Get("iss"); q.Has("iss") && origin(iss) != origin(p.endpoint.AuthURL) { // RFC 9207
		return none, errMixedUp
	}
	if q.Has("error") {
		return none, s.declined(q.Get("error"))
	}
	code := single(q, "code")
	if code == "" {
		return none, errNoCode
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, s.d.HTTP)
	t, err := s.config(p, client).Exchange(ctx, code, oauth2.VerifierOption(verifier.Reveal()))
	if err != nil {
		return none, s.refused(err)
	}
	scope, told := t.Extra("scope").(string)
	switch {
	case p.needs != "" && told && !slices.Contains(strings.Fields(scope), p.needs):
		return none, errs.New(errs.Invalid, opFlow, "the permission to read files was not granted. Ask for a new link, and leave that permission ticked")
	case t.RefreshToken == "":
		return none, errs.New(errs.Invalid, opFlow, "the provider granted no lasting access (no refresh token). Remove this application from the account's connected apps, then ask for a new link")
	}
	return secret.New(t.RefreshToken), nil
}

// connect makes the connection, or gives one new credentials: it is tested, and
// nothing is saved if that fails.
func (s *Service) connect(ctx context.Context, c *connection.Consent, client connectionservice.OAuthClient, refresh secret.String, r Return) (connection.Connection, error) {
	by := c.Actor
	by.IP, by.UserAgent = r.IP, r.UserAgent
	if c.Connection == "" {
		return s.d.Connections.Create(ctx, c.Org, by, connectionservice.CreateRequest{
			Name: c.Name, Description: c.Description, Metadata: c.Metadata, Provider: c.Provider, User: c.User,
			ProviderConfig: providerConfig(client, c.Fields, refresh.Reveal()),
		})
	}
	old, err := s.reconnected(ctx, c.Org, string(c.Connection), c.Provider)
	if err != nil {
		return old, err
	}
	return s.d.Connections.Update(ctx, c.Org, by, string(c.Connection), connectionservice.UpdateRequest{
		ProviderConfig: providerConfig(client, overlay(old.Config.Fields, c.Fields), refresh.Reveal()),
	})
}

// failed notes in the trail that a flow came to nothing.
func (s *Service) failed(ctx context.Context, c *connection.Consent, r Return, cause error) error {
	by, e := c.Actor, errs.From(cause)
	by.IP, by.UserAgent = r.IP, r.UserAgent
	ctx = context.WithoutCancel(ctx)
	_, err := s.d.Consents.Update(ctx, c.Org, c.ID, func(cur *connection.Consent) error {
		cur.Cookie = "" // so that there is a change, and nothing to come back with
		cur.Outbox.Note(s.d.Now(), by, audit.ConnectionFailed, audit.StorageConnection, subject(c), false, map[string]any{
			"connect": "the consent came to nothing", "kind": errs.KindOf(cause).String(), "error_code": e.Code, "name": c.Name,
		})
		return nil
	})
	if err != nil && !errs.Is(err, errs.NotFound) {
		return errors.Join(cause, err)
	}
	return cause
}

// sentences are what an error code means to the user, by the code (RFC 6749,
// 4.1.2.1 and 5.2, and the providers' own).
var sentences = map[string]*errs.Error{
	"access_denied":             {Kind: errs.PermissionDenied, Msg: "the consent was declined, so nothing was connected. Ask for a new link to try again"},
	"consent_required":          {Kind: errs.PermissionDenied, Msg: "an administrator has to consent to this application first"},
	"interaction_required":      {Kind: errs.PermissionDenied, Msg: "the provider wants more steps at sign-in than were taken. Ask for a new link and sign in afresh"},
	"login_required":            {Kind: errs.PermissionDenied, Msg: "nobody was signed in at the provider. Ask for a new link and sign in"},
	"admin_policy_enforced":     {Kind: errs.PermissionDenied, Msg: "the account's administrator does not allow this application"},
	"org_internal":              {Kind: errs.PermissionDenied, Msg: "the application is for the users of another organization only: have the operator publish it"},
	"temporarily_unavailable":   {Kind: errs.Unavailable, Msg: "the provider does not work at the moment. Ask for a new link in a while"},
	"server_error":              {Kind: errs.Unavailable, Msg: "the provider does not work at the moment. Ask for a new link in a while"},
	"invalid_client":            {Kind: errs.Invalid, Msg: "the provider refused the operator's OAuth client: have the operator check client_id and client_secret_file"},
	"unauthorized_client":       {Kind: errs.Invalid, Msg: "the provider does not let the operator's OAuth client ask for this: have the operator check its registration"},
	"invalid_grant":             {Kind: errs.Invalid, Msg: "the provider did not take the code: it is too old, was used already, or is another provider's. Ask for a new link"},
	"invalid_scope":             {Kind: errs.Invalid, Msg: "the operator's OAuth client may not ask for these permissions: have the operator add them to its registration"},
	"invalid_request":           {Kind: errs.Invalid, Msg: "the provider did not understand the request: have the operator check the registration of the OAuth client"},
	"unsupported_response_type": {Kind: errs.Invalid, Msg: "the operator's OAuth client is not registered as a web application"},
}

var codeForm = regexp.MustCompile(`^[a-z_]{1,40}$`)

// told makes the error of a provider's code. Of what a browser brought, at most
// something that looks like a code is repeated.
func told(code string) *errs.Error {
	e := errs.Error{Kind: errs.Invalid, Msg: "the provider refused. Ask for a new link to try again"}
	if known, ok := sentences[code]; ok {
		e = *known
	}
	e.Op = opFlow
	if codeForm.MatchString(code) {
		e.Code = code
	}
	return &e
}

// declined is what the consent page sent the browser back with.
func (s *Service) declined(code string) error { return told(code) }

// refused is how a code was not exchanged.
func (s *Service) refused(err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		e := errs.New(errs.Unavailable, opFlow, "the provider's token endpoint could not be reached, or did not answer as one. Ask for a new link in a while")
		var guard *errs.Error
		if errors.As(err, &guard) { // the guarded transport's own sentence
			e.Kind, e.Msg = guard.Kind, guard.Message()
		}
		return e
	}
	e := told(answer.ErrorCode)
	switch {
	case answer.ErrorCode == "redirect_uri_mismatch":
		e.Msg = "the operator has to register " + s.d.PublicURL + CallbackPath + " as a redirect URI of the OAuth client"
	case answer.Response != nil && answer.Response.StatusCode >= 500:
		e.Kind, e.Msg = errs.Unavailable, sentences["server_error"].Msg
	}
	return e
}
