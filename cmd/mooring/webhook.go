package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"mooring/internal/client"
)

var webhookColumns = columns("id=webhook_id", "url=url", "events=event_types", "status=status", "reason=status_reason", "failures=consecutive_failures", "behind=behind",
	"last delivered=last_delivered_at", "error=last_error")

func webhookCommand() *cobra.Command {
	at := func(rest ...string) func(*cobra.Command, []string) string {
		return func(_ *cobra.Command, a []string) string {
			return client.Path(append([]string{"v1", "webhooks"}, append(a[:min(len(a), 1):1], rest...)...)...)
		}
	}
	flags := func(c *cobra.Command) {
		c.Flags().String("description", "", "what it is for")
		c.Flags().StringSlice("event", nil, "`type` of events to send, as sync.failed or object.*; repeatable (default: all)")
		c.Flags().String("bucket", "", "only events of this bucket (`id`)")
		c.Flags().String("connection", "", "only events of this connection (`id`)")
	}
	fields := map[string]string{"description": "description", "event": "event_types", "bucket": "bucket_id", "connection": "connection_id", "enabled": "enabled", "url-to": "url"}
	secret := func(cmd *cobra.Command, _ *client.Client, a client.Object) error {
		return show(cmd, a, append(webhookColumns, columns("secret (shown once)=secret")...))
	}
	return group("webhook", "Have events sent to your own service",
		call{use: "create URL", short: "Make a webhook; its signing secret is shown this once", args: cobra.ExactArgs(1), method: http.MethodPost, then: secret, flags: flags,
			path: func(*cobra.Command, []string) string { return client.Path("v1", "webhooks") },
			body: func(c *cobra.Command, a []string) (any, error) {
				body := given(c, fields)
				body["url"] = a[0]
				return body, nil
			}},
		call{use: "list", short: "List webhooks, newest first", args: cobra.NoArgs, path: at(),
			then: func(cmd *cobra.Command, _ *client.Client, a client.Object) error {
				return table(cmd, a, webhookColumns)
			}},
		call{use: "get ID", short: "Show a webhook", args: cobra.ExactArgs(1), path: at(), cols: webhookColumns},
		call{use: "update ID", short: "Change a webhook, or enable it again", args: cobra.ExactArgs(1), method: http.MethodPatch, path: at(), cols: webhookColumns,
			flags: func(c *cobra.Command) {
				flags(c)
				c.Flags().String("url-to", "", "another `URL` to send to")
				c.Flags().Bool("enabled", true, "false: send nothing until it is enabled again")
			},
			body: func(c *cobra.Command, _ []string) (any, error) { return given(c, fields), nil }},
		call{use: "delete ID", short: "End a webhook", args: cobra.ExactArgs(1), method: http.MethodDelete, path: at()},
		call{use: "rotate ID", short: "Replace the signing secret; the old one signs too for a day", args: cobra.ExactArgs(1), method: http.MethodPost, path: at("rotate"), then: secret},
		call{use: "test ID", short: "Send a test event now", args: cobra.ExactArgs(1), method: http.MethodPost, path: at("test"),
			cols: columns("success=success", "status=status", "message=message", "event=event_id", "milliseconds=latency_ms")},
		call{use: "deliveries ID", short: "List what the receiver has not taken yet", args: cobra.ExactArgs(1), path: at("deliveries"), list: true,
			flags: func(c *cobra.Command) { c.Flags().String("state", "", "pending or parked") },
			query: func(c *cobra.Command) url.Values {
				state, _ := c.Flags().GetString("state")
				return url.Values{"state": {state}}
			},
			cols: columns("event=event_id", "type=type", "state=state", "attempts=attempts", "next=next_attempt_at", "status=last_status", "error=last_error")},
		call{use: "retry ID", short: "Send deliveries again now, whether they wait or are parked", args: cobra.ExactArgs(1), method: http.MethodPost, path: at("deliveries", "retry"), cols: columns("count=count"),
			flags: func(c *cobra.Command) {
				c.Flags().StringSlice("event", nil, "only of this event (`id`; repeatable)")
			},
			body: func(c *cobra.Command, _ []string) (any, error) {
				return given(c, map[string]string{"event": "event_ids"}), nil
			}},
	)
}

// eventsCommand follows what happens, a JSON document on each line.
func eventsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "Follow what happens, a JSON document on each line", Args: cobra.NoArgs}
	cmd.Flags().StringSlice("event", nil, "`type` of events to show, as sync.failed or object.*; repeatable (default: all)")
	cmd.Flags().String("after", "", "`id` after which to begin; 0: with the oldest that is kept (default: with what happens from now on)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := connect(cmd)
		if err != nil {
			return err
		}
		types, _ := cmd.Flags().GetStringSlice("event")
		after, _ := cmd.Flags().GetString("after")
		query := url.Values{"types": {strings.Join(types, ",")}}
		if after != "" {
			query.Set("after", after)
		}
		body, err := c.Stream(cmd.Context(), client.Path("v1", "events"), query)
		if err != nil {
			return err
		}
		defer body.Close()
		return client.Events(body, func(_ string, data []byte) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", data)
			return err
		})
	}
	return cmd
}
