package main

import (
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	"mooring/internal/client"
	"mooring/internal/errs"
	"mooring/internal/secret"
)

var contextName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,49}$`)

// loginCommand keeps a server and a key for it, so that later commands find both.
func loginCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "login NAME URL", Short: "Keep a server and its API key under a name; the key is read from the terminal or standard input", Args: cobra.ExactArgs(2)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name := args[0]
		if !contextName.MatchString(name) {
			return errs.New(errs.Invalid, "login", "a context's name has up to 50 of a-z, 0-9, - and _")
		}
		insecure, _ := cmd.Flags().GetBool("insecure-http")
		base, err := serverURL(args[1], insecure)
		if err != nil {
			return err
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
		if err := keepContext(name, client.Context{URL: base, KeyFile: name + ".key", Namespace: namespace}, key); err != nil {
			return err
		}
		return show(cmd, client.Object{"context": name, "url": base, "namespace": namespace}, columns("current server=context", "url=url", "namespace=namespace"))
	}
	f := cmd.Flags()
	f.String("namespace", "", "`id or name` of the namespace, where there are several")
	f.String("api-key-file", "", "`file` with the API key instead")
	f.Bool("json", false, "print what is kept as JSON, without the key")
	insecureFlag(f)
	return cmd
}

func keepContext(name string, c client.Context, key secret.String) error {
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
	return errs.Wrap(known.Save(dir), errs.Unavailable, "login", "the server can't be kept")
}

func askKey(cmd *cobra.Command) (secret.String, error) {
	if file, _ := cmd.Flags().GetString("api-key-file"); file != "" {
		return readKey(file)
	}
	line, err := readLine(cmd)
	if err != nil && !errors.Is(err, io.EOF) {
		return secret.String{}, errs.Wrap(err, errs.Invalid, "login", "the key can't be read")
	}
	key, ok := keyIn(line)
	if !ok {
		return secret.String{}, errs.New(errs.Invalid, "login", "no API key was given: it is read from the terminal or standard input")
	}
	return key, nil
}

func readLine(cmd *cobra.Command) (string, error) {
	if who, ok := person(cmd); ok {
		return who.hidden("API key")
	}
	return readUnbuffered(cmd.InOrStdin())
}
