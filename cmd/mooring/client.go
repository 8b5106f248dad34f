package main

import (
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mooring/internal/client"
	"mooring/internal/config"
	"mooring/internal/errs"
	"mooring/internal/secret"
)

// clientCommands are those that call the API of a server.
func clientCommands() []*cobra.Command {
	list := []*cobra.Command{connectionCommand(), bucketCommand(), syncCommand(), runCommand(), auditCommand(), loginCommand()}
	for _, c := range list {
		clientFlags(c)
	}
	return list
}

// clientFlags declares how a client finds its server.
func clientFlags(c *cobra.Command) {
	f := c.PersistentFlags()
	f.String("url", "", "`URL` of the server (default: the context's, else http://"+config.DefaultListen+")")
	f.String("api-key-file", "", "`file` with the API key (default: the context's, else DATA-DIR/admin.key for a server on this machine)")
	f.String("context", "", "`name` of a server kept by mooring login")
	f.String("namespace", "", "`id or name` of the namespace, where there are several")
	f.Bool("json", false, "print what the server answers as JSON")
	if f.Lookup("data-dir") == nil {
		f.String("data-dir", config.DefaultDataDir(), "`directory` of a server on this machine")
	}
}

// connect makes the client that the flags describe. The key in the data
// directory is used for a loopback address only: it must not be sent to
// whatever server a --url names.
func connect(cmd *cobra.Command) (*client.Client, error) {
	flag := func(name string) string { v, _ := cmd.Flags().GetString(name); return v }
	base, keyFile, namespace := flag("url"), flag("api-key-file"), flag("namespace")
	dir, err := client.Dir()
	if err != nil {
		dir = ""
	}
	known, err := client.LoadContexts(dir)
	if err != nil {
		return nil, err
	}
	name := flag("context")
	if name == "" && base == "" {
		name = known.Current
	}
	if name != "" {
		c, ok := known.Known[name]
		if !ok {
			return nil, errs.New(errs.Invalid, "client", "there is no context "+name+": mooring login makes one")
		}
		base = c.URL
		if keyFile == "" {
			keyFile = filepath.Join(dir, c.KeyFile)
		}
		if namespace == "" {
			namespace = c.Namespace
		}
	}
	if base == "" {
		base = "http://" + config.DefaultListen
	}
	if keyFile == "" {
		if !onThisMachine(base) {
			return nil, errs.New(errs.Invalid, "client", "which key? give --api-key-file, or log in with mooring login")
		}
		keyFile = filepath.Join(flag("data-dir"), "admin.key")
	}
	key, err := readKey(keyFile)
	if err != nil {
		return nil, err
	}
	return client.New(strings.TrimRight(base, "/"), key, namespace), nil
}

func readKey(file string) (secret.String, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return secret.String{}, errs.Wrap(err, errs.Invalid, "client", "the API key can't be read")
	}
	key := strings.TrimSpace(string(raw))
	if key == "" || strings.ContainsAny(key, " \n\r\t") {
		return secret.String{}, errs.New(errs.Invalid, "client", file+" does not hold one API key")
	}
	return secret.New(key), nil
}

func onThisMachine(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && a.IsLoopback()
}
