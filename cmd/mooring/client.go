package main

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mooring/internal/client"
	"mooring/internal/config"
	"mooring/internal/errs"
	"mooring/internal/secret"
)

// clientCommands are those that call the API of a server.
func clientCommands() []*cobra.Command {
	list := []*cobra.Command{connectionCommand(), bucketCommand(), syncCommand(), runCommand(), auditCommand(), webhookCommand(), eventsCommand()}
	list = append(list, manageCommands()...)
	for _, c := range list {
		clientFlags(c)
	}
	return append(list, loginCommand())
}

// clientFlags declares how a client finds its server.
func clientFlags(c *cobra.Command) {
	f := c.PersistentFlags()
	f.String("url", "", "`URL` of the server (default: the context's, else http://"+config.DefaultListen+")")
	f.String("api-key-file", "", "`file` with the API key (default: the context's, else DATA-DIR/admin.key for a server on this machine)")
	f.String("context", "", "`name` of a server kept by mooring login")
	f.String("namespace", "", "`id or name` of the namespace, where there are several")
	f.Bool("json", false, "print what the server answers as JSON")
	insecureFlag(f)
	if f.Lookup("data-dir") == nil {
		f.String("data-dir", config.DefaultDataDir(), "`directory` of a server on this machine")
	}
}

func insecureFlag(f *pflag.FlagSet) {
	f.Bool("insecure-http", false, "send the key without TLS to a server that is not on this machine")
}

// connect makes the client that the flags describe. The key in the data
// directory is sent only to the server that runs on it: not to whatever server,
// or other user's program on a port of this machine, a --url names.
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
	if name != "" && base != "" && known.Known[name].URL != base {
		return nil, errs.New(errs.Invalid, "client", "--url and --context name two servers: give one of them")
	}
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
	local := localServer(flag("data-dir"))
	if base == "" {
		base = cmp.Or(local, "http://"+config.DefaultListen)
	}
	insecure, _ := cmd.Flags().GetBool("insecure-http")
	if base, err = serverURL(base, insecure); err != nil {
		return nil, err
	}
	if keyFile == "" {
		if !onThisMachine(base) {
			return nil, errs.New(errs.Invalid, "client", "which key? give --api-key-file, or log in with mooring login")
		}
		if !sameServer(base, local) {
			return nil, errs.New(errs.Invalid, "client", "the key of the data directory is only sent to the server that runs on it"+where(local)+
				": leave --url out, give --api-key-file, or name the other data directory")
		}
		if strings.HasPrefix(local, "http://") {
			base = local // localhost may be another address of this machine too
		}
		keyFile = filepath.Join(flag("data-dir"), adminKey)
	}
	key, err := readKey(keyFile)
	if err != nil {
		return nil, err
	}
	return client.New(base, key, namespace), nil
}

// serverURL checks where a key is to be sent: to a server, without a password
// of its own, and in the clear only on this machine or where that is asked for.
func serverURL(base string, insecure bool) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", errs.New(errs.Invalid, "client", "the server's URL must look like https://mooring.example.com or http://"+config.DefaultListen)
	}
	if u.User != nil {
		return "", errs.New(errs.Invalid, "client", "the server's URL must not hold a user name or password: the API key says who asks")
	}
	if u.Scheme == "http" && !insecure && !onThisMachine(base) {
		return "", errs.New(errs.Invalid, "client", "a key is not sent in the clear: the URL must begin with https:// unless the server is on this machine, or --insecure-http allows it")
	}
	return strings.TrimRight(base, "/"), nil
}

func readKey(file string) (secret.String, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return secret.String{}, errs.Wrap(err, errs.Invalid, "client", "the API key can't be read")
	}
	key, ok := keyIn(string(raw))
	if !ok {
		return secret.String{}, errs.New(errs.Invalid, "client", file+" does not hold one API key")
	}
	return key, nil
}

// keyIn reads a key that stands alone in a text. What a header can't hold is none.
func keyIn(text string) (secret.String, bool) {
	text = strings.TrimSpace(text)
	other := func(r rune) bool { return r <= ' ' || r > '~' }
	return secret.New(text), text != "" && !strings.ContainsFunc(text, other)
}

// addressName is the file in a data directory that says where its server listens.
const addressName = "server.url"

// localServer is where the server on a data directory listens, "" when none does.
// A server that is killed leaves its address behind, and by now another user's
// program may listen there: a socket of its own that answers nobody tells.
func localServer(dir string) string {
	raw, err := os.ReadFile(filepath.Join(dir, addressName))
	address := strings.TrimSpace(string(raw))
	if err != nil || !onThisMachine(address) {
		return ""
	}
	socket := filepath.Join(dir, socketName)
	if _, err := os.Lstat(socket); err != nil {
		return address // a directory whose path is too long for one
	}
	c, err := (&net.Dialer{Timeout: socketTimeout}).DialContext(context.Background(), "unix", socket)
	if err != nil {
		return ""
	}
	_ = c.Close()
	return address
}

const socketTimeout = 2 * time.Second

// sameServer compares two addresses on this machine: localhost is any of its names.
func sameServer(a, b string) bool {
	x, errA := url.Parse(a)
	y, errB := url.Parse(b)
	return errA == nil && errB == nil && x.Scheme == y.Scheme && x.Port() == y.Port() && onThisMachine(a) && onThisMachine(b)
}

func where(local string) string {
	if local == "" {
		return ", and none runs there"
	}
	return " (" + local + ")"
}

func onThisMachine(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && a.IsLoopback()
}
