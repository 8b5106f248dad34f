package main

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"mooring/internal/client"
	"mooring/internal/errs"
)

// helpful says of a refused request what a person needs to go on, where the
// state of a connection or a sync is the reason. path is the request's.
func helpful(cmd *cobra.Command, c *client.Client, path string, err error) error {
	if !errs.Is(err, errs.Conflict) {
		return err
	}
	hint := ""
	switch parts := segments(path); {
	case len(parts) > 3 && parts[2] == "connections":
		hint = ofConnection(cmd, c, parts[3])
	case len(parts) > 4 && parts[1] == "buckets" && parts[3] == "syncs":
		hint = ofSync(cmd, c, parts[2], parts[4])
	}
	if hint == "" {
		return err
	}
	return errs.New(errs.Conflict, "", errs.From(err).Message()+"\n"+hint)
}

// segments are the parts of a path, as they were before they were escaped.
func segments(path string) []string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, p := range parts {
		if plain, err := url.PathUnescape(p); err == nil {
			parts[i] = plain
		}
	}
	return parts
}

// ofConnection says why a connection is not used, and what would change that; ""
// when it is.
func ofConnection(cmd *cobra.Command, c *client.Client, name string) string {
	conn, err := c.Do(cmd.Context(), http.MethodGet, client.Path("v1", "organizations", "connections", name), nil, nil)
	if err != nil {
		return ""
	}
	named := "connection '" + lookup(conn, "name") + "'"
	because := lookup(conn, "status_reason")
	if because == "" {
		because = lookup(conn, "last_error")
	}
	if because != "" {
		because = "\nbecause: " + because
	}
	again := quoted(lookup(conn, "name"))
	switch conn["status"] {
	case "SUSPENDED":
		return named + " is suspended by " + lookup(conn, "suspended_by") + " (last change: " + lookup(conn, "updated_at") + ")" + because +
			"\nto resume, after a test: mooring connection resume " + again
	case "FAILED":
		return named + " has failed " + lookup(conn, "consecutive_failures") + " times; the fifth in a row suspends it" + because + "\nto try it now: mooring connection test " + again
	case "ARCHIVED":
		return named + " is archived, which nothing ends: make another with mooring connection create"
	}
	return ""
}

// ofSync says why a sync does not run, and what would change that; "" when it does.
func ofSync(cmd *cobra.Command, c *client.Client, bucket, sync string) string {
	s, err := c.Do(cmd.Context(), http.MethodGet, client.Path("v1", "buckets", bucket, "syncs", sync), nil, nil)
	if err != nil {
		return ""
	}
	again := "mooring sync resume " + quoted(bucket) + " " + quoted(sync)
	switch s["status"] {
	case "SUSPENDED":
		hint := "the sync is paused"
		if why := lookup(s, "pause_reason"); why != "" {
			hint += " because: " + why
		}
		return hint + "\nto go on: " + again
	case "FAILED":
		return "the sync has failed five times in a row, the last time because: " + lookup(s, "last_error") + "\nto try it now: mooring sync trigger " + quoted(bucket) + " " + quoted(sync)
	case "COMPLETED":
		return "the sync is complete: it runs once\nto run it again: mooring sync trigger " + quoted(bucket) + " " + quoted(sync)
	}
	if id := lookup(s, "connection_id"); id != "" {
		return ofConnection(cmd, c, id)
	}
	return ""
}

// quoted is an argument as a shell reads it.
func quoted(arg string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:", r)
	}
	if arg != "" && strings.IndexFunc(arg, func(r rune) bool { return !plain(r) }) < 0 {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
