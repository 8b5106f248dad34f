package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"mooring/internal/client"
	"mooring/internal/errs"
)

// resumeCommand resumes one connection, or in bulk those that an outage had
// suspended. Each is tested; one that fails its test stays as it is.
func resumeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "resume [ID-OR-NAME]", Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeArgs,
		Short: "Use a suspended connection again, after a test; or with --suspended-by, all that were suspended so",
	}
	by := cmd.Flags().String("suspended-by", "", "resume all that were suspended by system or user")
	since := cmd.Flags().String("since", "", "with --suspended-by: only those suspended at or after this `time` (RFC 3339)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if (len(args) == 1) == (*by != "") || *since != "" && *by == "" {
			return errs.New(errs.Invalid, "resume", "name one connection, or give --suspended-by and, if need be, --since")
		}
		if *by != "" && *by != "system" && *by != "user" {
			return errs.New(errs.Invalid, "resume", "--suspended-by must be system or user")
		}
		from, err := time.Parse(time.RFC3339, *since)
		if *since != "" && err != nil {
			return errs.New(errs.Invalid, "resume", "--since must be a time such as 2026-01-31T12:00:00Z")
		}
		c, err := connect(cmd)
		if err != nil {
			return err
		}
		if *by != "" {
			return resumeAll(cmd, c, *by, from)
		}
		answer, err := resume(cmd, c, args[0])
		if err != nil {
			return err
		}
		return show(cmd, answer, connectionColumns)
	}
	return cmd
}

func resume(cmd *cobra.Command, c *client.Client, idOrName string) (client.Object, error) {
	return c.Do(cmd.Context(), http.MethodPatch, client.Path("v1", "organizations", "connections", idOrName), nil, client.Object{"status": "ACTIVE"})
}

// resumeAll goes through the list first: what is resumed leaves it.
func resumeAll(cmd *cobra.Command, c *client.Client, by string, from time.Time) error {
	found, err := suspended(cmd, c, by, from)
	if err != nil {
		return err
	}
	resumed, failures := []any{}, []error{}
	for _, id := range found {
		answer, err := resume(cmd, c, id)
		switch {
		case cmd.Context().Err() != nil:
			return cmd.Context().Err()
		case err != nil:
			fmt.Fprintln(cmd.ErrOrStderr(), explain(err))
			failures = append(failures, err)
		default:
			resumed = append(resumed, answer)
		}
	}
	if err := table(cmd, client.Object{"results": resumed}, connectionColumns); err != nil || len(failures) == 0 {
		return err
	}
	return errs.Wrap(errors.Join(failures...), errs.Internal, "", fmt.Sprintf("%d of %d connections could not be resumed", len(failures), len(found)))
}

func suspended(cmd *cobra.Command, c *client.Client, by string, from time.Time) (ids []string, err error) {
	query := url.Values{"limit": {"1000"}}
	for {
		page, err := c.Do(cmd.Context(), http.MethodPost, client.Path("v1", "organizations", "connections", "list"), query, client.Object{"status": "SUSPENDED"})
		if err != nil {
			return nil, err
		}
		rows, _ := page["results"].([]any)
		for _, r := range rows {
			o, _ := r.(client.Object)
			// Whatever changed after the suspension moved the time on, never back.
			changed, err := time.Parse(time.RFC3339, lookup(o, "updated_at"))
			if lookup(o, "suspended_by") == by && err == nil && !changed.Before(from) {
				ids = append(ids, lookup(o, "connection_id"))
			}
		}
		next := lookup(page, "pagination.next_cursor")
		if next == "" {
			return ids, nil
		}
		query.Set("cursor", next)
	}
}

// trustPolicyCommand prints what the owner of an AWS role has to put into it.
func trustPolicyCommand() call {
	return call{use: "trust-policy PRINCIPAL-ARN", args: cobra.ExactArgs(1), path: func(*cobra.Command, []string) string { return client.Path("v1", "organizations", "external-id") },
		short: "Print the trust policy of an AWS role that this server's own identity, PRINCIPAL-ARN, is to assume",
		then: func(cmd *cobra.Command, _ *client.Client, a client.Object) error {
			return printJSON(cmd.OutOrStdout(), client.Object{"Version": "2012-10-17", "Statement": []any{client.Object{
				"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": client.Object{"AWS": cmd.Flags().Arg(0)},
				"Condition": client.Object{"StringEquals": client.Object{"sts:ExternalId": a["external_id"]}},
			}}})
		}}
}
