package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mooring/internal/client"
	"mooring/internal/config"
	"os"
)

// completionPatience bounds what a shell waits for a server.
const completionPatience = 2 * time.Second

// completeArgs completes arguments with what the server knows: names of
// connections and buckets, ids of syncs, runs, keys and webhooks. What the
// argument stands for is read from the command's own usage line.
func completeArgs(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	words := strings.Fields(cmd.Use)
	if len(words) <= len(args)+1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	word := strings.Trim(words[len(args)+1], "[]")
	if parent := cmd.Parent(); word == "ID-OR-NAME" || word == "ID" {
		word = strings.ToUpper(parent.Name())
	}
	source, ok := completions[word]
	if !ok {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	// A shell runs no checks before: settings come from where commands find them.
	if err := config.Fill(cmd.Flags(), os.LookupEnv, os.Getenv(config.Env("config"))); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c, err := connect(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completionPatience)
	defer cancel()
	answer, err := c.Do(ctx, source.method, source.path(args), url.Values{"limit": {"100"}}, source.body())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return source.found(answer), cobra.ShellCompDirectiveNoFileComp
}

// completion is where the values of an argument are found.
type completion struct {
	method string
	path   func(args []string) string
	value  string // field that is completed
	remark string // field that tells the values apart
}

var completions = map[string]completion{
	"CONNECTION": {http.MethodPost, listOf("v1", "organizations", "connections", "list"), "name", "status"},
	"BUCKET":     {http.MethodPost, listOf("v1", "buckets", "list"), "bucket_name", "bucket_id"},
	"SYNC":       {http.MethodPost, func(a []string) string { return client.Path("v1", "buckets", a[0], "syncs", "list") }, "sync_config_id", "source_path"},
	"RUN":        {http.MethodGet, func(a []string) string { return client.Path("v1", "buckets", a[0], "syncs", a[1], "runs") }, "sync_run_id", "status"},
	"OBJECT":     {http.MethodPost, func(a []string) string { return client.Path("v1", "buckets", a[0], "objects", "list") }, "object_id", "source_path"},
	"EMAIL":      {http.MethodGet, listOf("v1", "organizations", "users"), "email", "name"},
	"NAME": {http.MethodGet, func(a []string) string {
		return client.Path("v1", "organizations", "users", strings.Join(a, ""), "api-keys")
	}, "name", "status"},
	"WEBHOOK": {http.MethodGet, listOf("v1", "webhooks"), "webhook_id", "url"},
}

func listOf(path ...string) func([]string) string {
	return func([]string) string { return client.Path(path...) }
}

func (s completion) body() any {
	if s.method == http.MethodPost {
		return client.Object{}
	}
	return nil
}

// found lists what an answer offers. A value with a character that a line can't
// hold is left out.
func (s completion) found(answer client.Object) (out []cobra.Completion) {
	rows, _ := answer["results"].([]any)
	for _, r := range rows {
		o, _ := r.(client.Object)
		v, _ := o[s.value].(string)
		if v != "" && v == printable(v) {
			out = append(out, cobra.CompletionWithDesc(v, lookup(o, s.remark)))
		}
	}
	return out
}
