package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mooring/internal/client"
	"mooring/internal/errs"
)

var (
	bucketColumns = columns("id=bucket_id", "name=bucket_name", "status=status", "objects=object_count", "bytes=total_size_bytes", "counted=stats_updated_at")
	objectColumns = columns("id=object_id", "path=source_path", "status=status", "bytes=size_bytes", "verification=verification", "hash=content_hash", "updated=updated_at")
)

func bucketCommand() *cobra.Command {
	base := []string{"v1", "buckets"}
	search := func(what string) func(*cobra.Command) {
		return func(c *cobra.Command) { c.Flags().String("search", "", "only those with this text in "+what) }
	}
	searched := func(c *cobra.Command, _ []string) (any, error) {
		return given(c, map[string]string{"search": "search"}), nil
	}
	calls := append([]call{
		{use: "list", short: "List buckets, newest first", args: cobra.NoArgs, method: http.MethodPost, path: at("v1", "buckets", "list"), list: true, cols: bucketColumns,
			flags: search("their id, name or description"), body: searched},
		{use: "get ID-OR-NAME", short: "Show a bucket", args: cobra.ExactArgs(1), path: at(base...), cols: bucketColumns},
		{use: "create NAME", short: "Make a bucket; --from takes its schema and unique key", args: cobra.ExactArgs(1), method: http.MethodPost,
			path: func(*cobra.Command, []string) string { return client.Path(base...) }, cols: bucketColumns,
			flags: func(c *cobra.Command) {
				c.Flags().String("description", "", "free text")
				c.Flags().String("destination", "", "the operator's name of the destination")
			},
			body: func(c *cobra.Command, args []string) (any, error) {
				body := given(c, map[string]string{"description": "description", "destination": "destination"})
				body["bucket_name"] = args[0]
				return body, nil
			}},
		{use: "delete ID-OR-NAME", short: "Delete a bucket, its syncs and all it holds", args: cobra.ExactArgs(1), method: http.MethodDelete, path: at(base...),
			cols: columns("id=bucket_id", "status=status", "objects=object_count")},
		{use: "objects ID-OR-NAME", short: "List a bucket's objects; --from takes filters and an order", args: cobra.ExactArgs(1), method: http.MethodPost, list: true, cols: objectColumns,
			path: func(_ *cobra.Command, a []string) string {
				return client.Path("v1", "buckets", a[0], "objects", "list")
			},
			flags: search("their source path"), body: searched},
		{use: "object ID-OR-NAME OBJECT", short: "Show an object", args: cobra.ExactArgs(2), cols: objectColumns, path: objectPath},
		{use: "remove ID-OR-NAME OBJECT", short: "Remove an object's content; this version of it does not come back", args: cobra.ExactArgs(2), method: http.MethodDelete, path: objectPath},
	}, analytics()...)
	cmd := group("bucket", "Keep what syncs bring", calls...)
	cmd.AddCommand(downloadCommand())
	return cmd
}

func objectPath(_ *cobra.Command, a []string) string {
	return client.Path("v1", "buckets", a[0], "objects", a[1])
}

func downloadCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "download BUCKET OBJECT", Short: "Write an object's content to a file or standard output", Args: cobra.ExactArgs(2), ValidArgsFunction: completeArgs}
	out := cmd.Flags().StringP("output", "o", "-", "`file` to write (- is standard output)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := connect(cmd)
		if err != nil {
			return err
		}
		body, err := c.Stream(cmd.Context(), client.Path("v1", "buckets", args[0], "objects", args[1], "content"), nil)
		if err != nil {
			return err
		}
		defer body.Close()
		if *out == "-" {
			_, err = io.Copy(cmd.OutOrStdout(), body)
			return errs.Wrap(err, errs.Unavailable, "download", "the content did not arrive whole")
		}
		return save(*out, body)
	}
	return cmd
}

// save writes a file under a temporary name first: a broken download leaves nothing under the final one.
func save(name string, from io.Reader) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".mooring-download-*") // a rename does not leave its file system
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "download", name+" can't be written")
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, from)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "download", "the content did not arrive whole")
	}
	return errs.Wrap(os.Rename(f.Name(), name), errs.Unavailable, "download", name+" can't be written")
}
