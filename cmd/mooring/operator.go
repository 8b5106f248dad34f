package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mooring/internal/client"
	"mooring/internal/config"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
)

// Operator commands act on a data directory. Where a server runs on it they
// reach it through its socket, which only the directory's owner can open;
// otherwise they open the store themselves.

const (
	socketName = "admin.sock"
	adminKey   = "admin.key"
)

// order is what an operator asks for, and answer what came of it.
type order struct {
	Do    string `json:"do"` // the command's words
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Org   id.Org `json:"organization,omitempty"`
	keysOrder
}

type answer struct {
	Org     id.Org `json:"organization,omitempty"`
	KeyFile string `json:"key_file,omitempty"`
	Link    string `json:"link,omitempty"`
	Error   string `json:"error,omitempty"`
	Kind    string `json:"kind,omitempty"`
	keysAnswer
}

func organizationCommand() *cobra.Command {
	parent := parentCommand("organization", "Manage organizations (for the operator of a data directory)")
	create := &cobra.Command{Use: "create NAME EMAIL", Short: "Make an organization with an admin user; the key is written to a file in the data directory", Args: cobra.ExactArgs(2)}
	settings := config.Flags(create.Flags())
	create.Flags().Bool("json", false, "print what was done as JSON")
	create.RunE = func(cmd *cobra.Command, args []string) error {
		return operate(cmd, settings, order{Do: "organization create", Name: args[0], Email: args[1]})
	}
	parent.AddCommand(create)
	return parent
}

func resetAdminCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "reset-admin [ORGANIZATION]", Short: "Replace an organization's admin key (for the operator of a data directory)", Args: cobra.MaximumNArgs(1)}
	settings := config.Flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o := order{Do: "key reset-admin"}
		if len(args) > 0 {
			o.Org = id.Org(args[0])
		}
		return operate(cmd, settings, o)
	}
	return cmd
}

func operate(cmd *cobra.Command, settings *config.Server, o order) error {
	a, err := carriedOut(cmd, settings, o)
	if err != nil {
		return err
	}
	if wantsJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), a)
	}
	if a.Link != "" {
		fmt.Fprintf(cmd.OutOrStdout(), "open this in a browser within ten minutes; it can be used once:\n%s\n", a.Link)
		return nil
	}
	fmt.Fprintf(cmd.OutOrStdout(), "organization %s: its admin key is in %s\n", a.Org, a.KeyFile)
	return nil
}

// carriedOut has an order carried out by the server on the data directory, or does so itself.
func carriedOut(cmd *cobra.Command, settings *config.Server, o order) (answer, error) {
	if err := settings.Validate(); err != nil {
		return answer{}, err
	}
	a, err := throughSocket(cmd.Context(), settings.DataDir, o)
	if errors.Is(err, errNoServer) {
		a, err = onStore(cmd.Context(), settings, o)
	}
	return a, err
}

func onStore(ctx context.Context, settings *config.Server, o order) (answer, error) {
	app, err := openApp(ctx, settings, nil)
	if err != nil {
		return answer{}, err
	}
	defer app.close()
	app.keys.Alone = !settings.Shared() // the data directory's lock says so
	return app.carryOut(ctx, o)
}

var errNoServer = errs.New(errs.NotFound, "operator", "no server answers on the data directory")

// throughSocket asks the server on a data directory; errNoServer when there is none.
func throughSocket(ctx context.Context, dir string, o order) (answer, error) {
	socket := filepath.Join(dir, socketName)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	body, err := json.Marshal(o)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://operator/", bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return answer{}, ctx.Err()
		}
		return answer{}, errNoServer
	}
	defer res.Body.Close()
	var a answer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		return a, errs.Wrap(err, errs.Unavailable, "operator", "the server's answer can't be read")
	}
	if a.Error != "" {
		return a, errs.New(errs.ParseKind(a.Kind), "operator", a.Error)
	}
	return a, nil
}

// carryOut does what an operator asks for.
func (a *app) carryOut(ctx context.Context, o order) (answer, error) {
	switch o.Do {
	case "organization create":
		f, err := a.access.Found(ctx, o.Name, o.Email, a.keepFor)
		return answer{Org: f.Organization.ID, KeyFile: a.keyFile(f.Organization.ID)}, err
	case "key reset-admin":
		org, err := a.onlyOrg(ctx, o.Org)
		if err != nil {
			return answer{}, err
		}
		keep, file := a.keepFor, a.keyFile(org)
		if org == a.first {
			keep, file = a.keepFirst, filepath.Join(a.settings.DataDir, adminKey)
		}
		_, err = a.access.ResetAdmin(ctx, org, keep)
		return answer{Org: org, KeyFile: file}, err
	case "dashboard":
		org, err := a.onlyOrg(ctx, o.Org)
		if err != nil {
			return answer{}, err
		}
		link, err := a.signInLink(ctx, org)
		return answer{Org: org, Link: link}, err
	}
	return a.carryOutKeys(ctx, o)
}

// onlyOrg is the organization named, or the only one there is.
func (a *app) onlyOrg(ctx context.Context, named id.Org) (id.Org, error) {
	orgs, err := a.system.Organizations(ctx, "", 1000)
	if err != nil {
		return "", err
	}
	for _, o := range orgs {
		if o.ID == named || named == "" && len(orgs) == 1 {
			return o.ID, nil
		}
	}
	if named == "" {
		return "", errs.New(errs.Invalid, "operator", "there are several organizations: name one")
	}
	return "", errs.New(errs.NotFound, "operator", "there is no organization "+string(named))
}

func (a *app) keyFile(org id.Org) string {
	return filepath.Join(a.settings.DataDir, string(org)+".admin.key")
}

func (a *app) keepFor(org id.Org, key secret.String) error {
	return client.WriteFile(a.keyFile(org), []byte(key.Reveal()+"\n"))
}

func (a *app) keepFirst(_ id.Org, key secret.String) error {
	return client.WriteFile(filepath.Join(a.settings.DataDir, adminKey), []byte(key.Reveal()+"\n"))
}

// serveSocket answers operator commands until ctx ends.
func (a *app) serveSocket(ctx context.Context) error {
	path := filepath.Join(a.settings.DataDir, socketName)
	for _, left := range []string{filepath.Join(a.settings.DataDir, addressName), path} { // by a killed process: this one holds the directory's lock
		if err := os.Remove(left); err != nil && !os.IsNotExist(err) {
			return errs.Wrap(err, errs.Unavailable, "operator", left+" can't be replaced")
		}
	}
	l, err := listenPrivate(path)
	if err != nil {
		a.log.Warn("no operator socket: commands need the server stopped", "error", err)
		return nil
	}
	srv := &http.Server{ReadTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var o order
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&o)
		var out answer
		if err == nil {
			out, err = a.carryOut(r.Context(), o)
		}
		if err != nil {
			out = answer{Error: explain(err), Kind: errs.KindOf(err).String()}
		}
		_ = json.NewEncoder(w).Encode(out)
	})}
	go func() {
		<-ctx.Done()
		_ = srv.Close()
	}()
	go func() { _ = srv.Serve(l) }()
	return nil
}
