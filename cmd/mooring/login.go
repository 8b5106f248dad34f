package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mooring/internal/client"
	"mooring/internal/errs"
	"mooring/internal/secret"
)

var contextName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,49}$`)

// loginCommand keeps a server and a key for it, so that later commands find both.
func loginCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "login NAME URL", Short: "Keep a server and its API key under a name; the key is read from the terminal or standard input", Args: cobra.ExactArgs(2)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name, base := args[0], strings.TrimRight(args[1], "/")
		if !contextName.MatchString(name) {
			return errs.New(errs.Invalid, "login", "a context's name has up to 50 of a-z, 0-9, - and _")
		}
		if !strings.HasPrefix(base, "https://") && !onThisMachine(base) {
			return errs.New(errs.Invalid, "login", "a key is not sent in the clear: the URL must begin with https:// unless the server is on this machine")
		}
		key, err := askKey(cmd)
		if err != nil {
			return err
		}
		namespace, _ := cmd.Flags().GetString("namespace")
		c := client.New(base, key, namespace)
		if _, err := c.Do(cmd.Context(), http.MethodPost, "/v1/organizations/connections/list", nil, client.Object{}); err != nil {
			return err
		}
		return keepContext(cmd, name, client.Context{URL: base, KeyFile: name + ".key", Namespace: namespace}, key)
	}
	return cmd
}

func keepContext(cmd *cobra.Command, name string, c client.Context, key secret.String) error {
	dir, err := client.Dir()
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "login", "there is no place for the key: set XDG_CONFIG_HOME")
	}
	known, err := client.LoadContexts(dir)
	if err != nil {
		return err
	}
	if err := client.WriteFile(filepath.Join(dir, c.KeyFile), []byte(key.Reveal()+"\n")); err != nil {
		return errs.Wrap(err, errs.Unavailable, "login", "the key can't be kept")
	}
	known.Known[name], known.Current = c, name
	if err := known.Save(dir); err != nil {
		return errs.Wrap(err, errs.Unavailable, "login", "the server can't be kept")
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s is now the current server (%s)\n", name, c.URL)
	return nil
}

func askKey(cmd *cobra.Command) (secret.String, error) {
	if in, ok := cmd.InOrStdin().(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		fmt.Fprint(cmd.ErrOrStderr(), "API key: ")
		raw, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		return secret.New(strings.TrimSpace(string(raw))), errs.Wrap(err, errs.Invalid, "login", "the key can't be read")
	}
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if line = strings.TrimSpace(line); line == "" {
		return secret.String{}, errs.Wrap(err, errs.Invalid, "login", "no key on standard input")
	}
	return secret.New(line), nil
}
