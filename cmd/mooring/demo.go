package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mooring/emulator/s3"
	"mooring/internal/client"
	"mooring/internal/config"
	"mooring/internal/errs"
	"mooring/internal/id"
)

const demoBucket = "demo"

func demoCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "demo [DIR]", Short: "Do the main job on your own files, without an account: DIR is only read", Args: cobra.MaximumNArgs(1)}
	once := cmd.Flags().Bool("once", false, "end after the second run")
	listen := cmd.Flags().String("listen", "127.0.0.1:0", "loopback `address` to serve on")
	verbose := cmd.Flags().Bool("verbose", false, "log to standard error")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		data, err := os.MkdirTemp("", "mooring-demo-")
		if err != nil {
			return errs.Wrap(err, errs.Unavailable, "demo", "there is no room for the demonstration's data")
		}
		defer os.RemoveAll(data)
		d := demo{out: cmd.OutOrStdout(), data: data, once: *once, log: slog.New(slog.DiscardHandler)}
		if *verbose {
			d.log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
		}
		if len(args) > 0 {
			d.dir = args[0]
		}
		return d.run(cmd.Context(), *listen)
	}
	return cmd
}

// demo is one demonstration: an S3 endpoint over a folder, a server, and a
// client that does over the API what a user would do.
type demo struct {
	out    io.Writer
	log    *slog.Logger
	dir    string // served; "" is a sample
	once   bool   // end after the steps
	data   string
	s3     *s3.Server
	key    s3.AccessKey
	client *client.Client
}

func (d *demo) run(ctx context.Context, listen string) error {
	if err := d.startStorage(); err != nil {
		return err
	}
	defer d.s3.Close()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	ended, err := d.startServer(serving, listen)
	if err != nil {
		return err
	}
	err = d.steps(ctx)
	if err == nil && !d.once {
		d.say("\nRunning until interrupted (Ctrl-C); what is below %s is removed then.", d.data)
		<-ctx.Done()
	}
	stop()
	if e := <-ended; err == nil {
		err = e
	}
	return err
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// startStorage serves the folder, or a sample, as a bucket of an S3 endpoint.
func (d *demo) startStorage() (err error) {
	if d.dir == "" {
		d.dir = filepath.Join(d.data, "sample")
		if err := writeSample(d.dir); err != nil {
			return err
		}
		d.say("No folder given, so this is a sample. On your own files: mooring demo DIR")
	}
	d.key = s3.AccessKey{ID: "AKIADEMO" + id.NewToken(12), Secret: id.NewToken(40)}
	if d.s3, err = s3.Start(s3.Options{Keys: []s3.AccessKey{d.key}}); err != nil {
		return errs.Wrap(err, errs.Unavailable, "demo", "the S3 endpoint can't be started")
	}
	skipped := func(path string, err error) error {
		d.say("left out: %s (%v)", printable(path), err)
		return nil
	}
	if err := d.s3.DirOverlay(demoBucket, d.dir, s3.DirOptions{OnError: skipped}); err != nil {
		return errs.Wrap(err, errs.Invalid, "demo", d.dir+" can't be served")
	}
	d.say("storage   %s serves %s as bucket %q, which is only read", d.s3.URL(), d.dir, demoBucket)
	return nil
}

// startServer runs the real server in this process until ctx ends.
func (d *demo) startServer(ctx context.Context, listen string) (<-chan error, error) {
	settings := &config.Server{
		Listen: listen, DataDir: filepath.Join(d.data, "server"), Store: "sqlite", Syncs: 2, CheckEvery: time.Minute, LogLevel: "info", LogFormat: "text",
		AllowNetworks: []string{"127.0.0.0/8"},
	}
	if err := settings.Validate(); err != nil {
		return nil, err
	}
	app, err := openApp(ctx, settings, d.log)
	if err != nil {
		return nil, err
	}
	key, err := readKey(filepath.Join(settings.DataDir, adminKey))
	if err != nil {
		app.close()
		return nil, err
	}
	url, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		err := app.serve(ctx, func(u string) { url <- u })
		app.close()
		ended <- err
	}()
	select {
	case u := <-url:
		d.client = client.New(u, key, "")
		d.say("server    %s (API documentation: %s/docs)", u, u)
		return ended, nil
	case err := <-ended:
		return nil, err
	}
}

// sample is small enough to read and has what goes wrong elsewhere: an empty
// file, odd names, a duplicate.
var sample = map[string]string{
	"welcome.txt":                   "Mooring keeps buckets in sync with what a storage holds.\n",
	"reports/2025/q4.csv":           "quarter,revenue\nQ4,1200\n",
	"reports/2026/q1.csv":           "quarter,revenue\nQ1,1350\n",
	"reports/2026/copy of q1.csv":   "quarter,revenue\nQ1,1350\n",
	"empty":                         "",
	"names/with space & 100% +.txt": "every key arrives as a file of its own\n",
	"names/Grüße.md":                "# Grüße\n",
	"names/.hidden":                 "hidden files too\n",
}

func writeSample(dir string) error {
	for name, content := range sample {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return errs.Wrap(err, errs.Unavailable, "demo", "the sample can't be written")
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return errs.Wrap(err, errs.Unavailable, "demo", "the sample can't be written")
		}
	}
	return nil
}
