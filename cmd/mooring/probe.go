package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mooring/internal/config"
	"mooring/internal/errs"
	"mooring/internal/outbound"
)

// probeTimeout bounds a probe.
const probeTimeout = 5 * time.Second

func probeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "probe [URL]",
		Short: "Ask a server whether it answers, for probes of containers: exit code 0, else 8",
		Long:  "Ask a server whether it answers: the one at the URL, else the one that serves the data directory.",
		Args:  cobra.MaximumNArgs(1),
	}
	dir := cmd.Flags().String("data-dir", config.DefaultDataDir(), "`directory` whose server is asked")
	ready := cmd.Flags().Bool("ready", false, "also ask whether it can serve: whether its store answers")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		url := ""
		if len(args) > 0 {
			url = args[0]
		} else {
			b, err := os.ReadFile(filepath.Join(*dir, addressName))
			if err != nil {
				return errs.Wrap(err, errs.Unavailable, "probe", "no server serves "+*dir)
			}
			url = strings.TrimSpace(string(b))
		}
		path := "/healthz"
		if *ready {
			path = "/readyz"
		}
		return answers(cmd.Context(), cmd.OutOrStdout(), strings.TrimSuffix(url, "/")+path)
	}
	return cmd
}

// answers asks for a page that must be answered with 200.
func answers(ctx context.Context, out io.Writer, url string) error {
	const op = "probe"
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return errs.Wrap(err, errs.Invalid, op, "this is no URL of a server")
	}
	res, err := outbound.NoRedirects(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, op, "the server does not answer")
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errs.New(errs.Unavailable, op, "the server answers "+res.Status)
	}
	_, err = fmt.Fprintln(out, "ok")
	return err
}
