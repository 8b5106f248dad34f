package connection

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"mooring/internal/audit"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/secret"
)

// Draft is what a new connection is made of. Its parts have been checked.
type Draft struct {
	ID          id.Connection // its secrets are sealed for this id already
	Org         id.Org
	Name        string
	Description *string
	Metadata    map[string]any
	Config      config.Sealed
	CreatedBy   string

	CheckInterval       *int64
	CredentialsExpireAt *time.Time
}

// New makes a connection. tested is the attempt that proved it, nil when it was
// not tested: it is then checked soon.
func New(d Draft, tested *Attempt, by audit.Actor, now time.Time) Connection {
	now = cut(now)
	c := Connection{
		ID: d.ID, Org: d.Org, Provider: d.Config.Provider, Config: d.Config, Name: d.Name, Description: d.Description,
		Metadata: d.Metadata, Status: Active, CredentialsGeneration: 1,
		CreatedAt: now, UpdatedAt: now, CreatedBy: d.CreatedBy, NextCheckAt: &now,
		CheckInterval: d.CheckInterval, CredentialsExpireAt: d.CredentialsExpireAt,
	}
	if tested != nil {
		c.checked(now, c.nextCheck(*tested, now))
		c.succeeded(*tested)
	}
	c.note(now, by, audit.ConnectionCreated, map[string]any{
		"name": []any{nil, c.Name}, "provider_type": []any{nil, c.Provider}, "credentials_type": []any{nil, c.Config.Credential}, "tested": tested != nil,
	})
	return c
}

// Edit is a change to what has no bearing on the state. Nil leaves as it is.
type Edit struct {
	Name        *string
	Description *string        // "" clears
	Metadata    map[string]any // replaces all

	CheckInterval       *int64     // seconds; 0: the server's
	CredentialsExpireAt *time.Time // the zero time: not known
}

// Amend applies an edit. One that changes nothing leaves no trace.
func Amend(c *Connection, e Edit, by audit.Actor, now time.Time) error {
	if err := Alive(c, "be changed"); err != nil {
		return err
	}
	changes := map[string]any{}
	if e.Name != nil && *e.Name != c.Name {
		changes["name"] = []any{c.Name, *e.Name}
		c.Name = *e.Name
	}
	if e.Description != nil {
		next := e.Description
		if *next == "" {
			next = nil
		}
		if !reflect.DeepEqual(next, c.Description) {
			changes["description"] = []any{deref(c.Description), deref(next)}
			c.Description = next
		}
	}
	if e.Metadata != nil && len(e.Metadata)+len(c.Metadata) > 0 && !sameJSON(e.Metadata, c.Metadata) {
		changes["metadata"] = []any{c.Metadata, e.Metadata}
		c.Metadata = e.Metadata
	}
	if e.CheckInterval != nil {
		c.amendInterval(*e.CheckInterval, changes, now)
	}
	if e.CredentialsExpireAt != nil {
		c.amendExpiry(*e.CredentialsExpireAt, changes)
	}
	if len(changes) > 0 {
		c.UpdatedAt = cut(now)
		c.note(now, by, audit.ConnectionUpdated, changes)
	}
	return nil
}

// ReplaceConfig puts another configuration in place. tested is the attempt that
// proved it: it ends a failure and a suspension by the system, never a user's.
// Untested, the state stays and what is watched is checked soon. Attempts with
// the configuration before count no more.
func ReplaceConfig(c *Connection, s config.Sealed, tested *Attempt, by audit.Actor, now time.Time) error {
	if err := Alive(c, "take another provider_config"); err != nil {
		return err
	}
	now = cut(now)
	c.note(now, by, audit.ConnectionUpdated, configChanges(c.Config, s))
	if !sameRefresh(c.Config, s) {
		c.RefreshFrom = ""
	}
	c.Config, c.UpdatedAt = s, now
	c.CredentialsGeneration++
	switch {
	case tested == nil && c.watched():
		c.NextCheckAt = &now
	case tested == nil:
	case c.Status == Suspended && c.SuspendedBy == ByUser:
		c.LastCheckedAt = &now
	default:
		c.checked(now, c.nextCheck(*tested, now))
		c.succeeded(*tested)
		if c.Status != Active {
			c.activate(now, by)
		}
	}
	return nil
}

// Suspend stops all use, by a user's wish. Of one that is suspended already
// nothing changes, not even who did it.
func Suspend(c *Connection, by audit.Actor, reason string, now time.Time) error {
	if err := Alive(c, "be suspended"); err != nil || c.Status == Suspended {
		return err
	}
	now = cut(now)
	was := c.Status
	c.Status, c.SuspendedBy, c.StatusReason = Suspended, ByUser, config.Cut(reason)
	c.NextCheckAt, c.UpdatedAt = nil, now
	c.note(now, by, audit.ConnectionUpdated, map[string]any{"status": pair(was, Suspended)})
	c.raise(now, event.ConnectionSuspended)
	return nil
}

// Resume ends a suspension after a live test that passed, with the
// configuration that the connection still has.
func Resume(c *Connection, passed Attempt, by audit.Actor, now time.Time) error {
	move, err := Plan(c, Active)
	if err != nil || move == Stay {
		return err
	}
	if passed.Generation != c.CredentialsGeneration {
		return conflict(c, "be resumed on a test of replaced credentials", "resume it again")
	}
	now = cut(now)
	c.checked(now, c.nextCheck(passed, now))
	c.succeeded(passed)
	c.activate(now, by)
	return nil
}

// Archive ends a connection for good. Its sealed secrets are destroyed, unless
// they are to be retained; their names stay, for display.
func Archive(c *Connection, retain bool, by audit.Actor, now time.Time) error {
	if err := Alive(c, "be archived again"); err != nil {
		return err
	}
	now = cut(now)
	was := c.Status
	c.Status, c.SuspendedBy, c.StatusReason, c.NextCheckAt, c.UpdatedAt = Archived, "", "", nil, now
	if !retain {
		c.Config.Destroyed = slices.Sorted(maps.Keys(c.Config.Secrets))
		c.Config.Secrets, c.CredentialsDestroyed = nil, true
	}
	c.raise(now, event.ConnectionArchived)
	c.note(now, by, audit.ConnectionDeleted, map[string]any{"status": pair(was, Archived), "credentials_destroyed": !retain})
	return nil
}

// Shred ends a connection whose data keys are gone: it is archived, and what is
// left of its credentials is taken away also if it was archived before.
func Shred(c *Connection, by audit.Actor, now time.Time) error {
	if c.Status != Archived {
		return Archive(c, false, by, now)
	}
	c.Config.Destroyed = slices.Sorted(maps.Keys(c.Config.Secrets))
	c.Config.Secrets, c.CredentialsDestroyed, c.UpdatedAt = nil, true, cut(now)
	return nil
}

// Alive returns an errs.Conflict when the connection is archived, which nothing
// ends. can says what was asked: "it can't …".
func Alive(c *Connection, can string) error {
	if c.Status != Archived {
		return nil
	}
	return conflict(c, can, "archiving is final: create a new connection, its name is free again")
}

// Usable returns an errs.Conflict when the connection must not be contacted:
// it is archived or suspended. Only an explicit test and a resume may contact a
// suspended one.
func Usable(c *Connection, can string) error {
	if c.Status == Suspended {
		return conflict(c, can, "resume it first, with status=ACTIVE")
	}
	return Alive(c, can)
}

func conflict(c *Connection, can, remedy string) error {
	state := string(c.Status)
	if c.Status == Suspended && c.SuspendedBy != "" {
		state += " by " + c.SuspendedBy
	}
	return errs.New(errs.Conflict, "connection", "connection "+string(c.ID)+" is "+state+" and can't "+can+"; "+remedy)
}

// configChanges names what differs for the audit trail. A changed secret is
// shown as the marker.
func configChanges(old, s config.Sealed) map[string]any {
	const prefix = "provider_config."
	changes := map[string]any{}
	diff := func(prefix string, a, b map[string]any) {
		for k := range keys(a, b) {
			if k != "credentials" && !reflect.DeepEqual(a[k], b[k]) {
				changes[prefix+k] = []any{a[k], b[k]}
			}
		}
	}
	a, b := config.Redact(old), config.Redact(s)
	ac, _ := a["credentials"].(map[string]any)
	bc, _ := b["credentials"].(map[string]any)
	diff(prefix, a, b)
	diff(prefix+"credentials.", ac, bc)
	for name, v := range s.Secrets {
		if o, ok := old.Secrets[name]; ok && !slices.Equal(o.Data, v.Data) {
			changes[prefix+"credentials."+name] = []any{secret.Marker, secret.Marker}
		}
	}
	return changes
}

func keys(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func deref(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}
