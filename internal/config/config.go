// Package config reads the settings of Mooring's processes and says what is
// wrong with them. It builds nothing. A setting is taken from its flag, else
// from its environment variable (MOORING_ and the flag's name in upper case with
// underscores), else from the file given with --config (TOML, the flags' names
// as keys, unknown ones refused), else it has its default.
package config

import (
	"crypto/tls"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"mooring/internal/errs"
	"mooring/internal/secret"
)

// Server is how a process that serves or works is set up.
type Server struct {
	Listen         string // host:port
	MetricsListen  string // host:port of a second listener for /metrics alone, without a key
	OTLPEndpoint   string // where traces go
	PublicURL      string // how users reach the server, for links
	DataDir        string // database, keys, and by default the content
	Store          string // "sqlite" or "mongodb"
	StoreURIFile   string // file that holds StoreURI
	StoreURI       secret.String
	SharedDataDir  bool     // every process on the store sees the destinations' folders
	MasterKeyFile  string   // default <data-dir>/master.key
	KMS            string   // URI of a master key in a key service, instead
	SecondMaster   string   // file or URI of another one, which a change of the master key leads to or comes from
	Destination    string   // folder of the default destination; default <data-dir>/buckets
	Destinations   string   // the operator's destinations, as JSON
	AllowNetworks  []string // CIDR ranges beside the public ones that connections may reach
	OutboundProxy  string
	Endpoints      []string // PROVIDER.NAME=URL, instead of a provider's own
	OAuth          string   // the operator's OAuth clients, as JSON
	TrustedProxies []string // CIDR ranges whose X-Forwarded-For is believed
	InsecureHTTP   bool
	TLSCert        string
	TLSKey         string
	Syncs          int
	CheckEvery     time.Duration // between two checks of a connection that works
	Retain         bool          // archive.retain_credentials
	AuditDays      int           // entries of audit trails are kept for; 0: for ever
	LogLevel       string
	LogFormat      string

	networks  []netip.Prefix
	proxies   []netip.Prefix
	proxyURL  *url.URL
	endpoints map[string]map[string]string
	oauth     []OAuthClient

	destinations []Destination
}

// DefaultListen is where a server listens unless told otherwise.
const DefaultListen = "127.0.0.1:8420"

// Flags declares the settings on a flag set and returns where they will be.
func Flags(f *pflag.FlagSet) *Server {
	s := &Server{}
	f.StringVar(&s.Listen, "listen", DefaultListen, "`address` to serve on; one that is not loopback needs TLS, --trusted-proxy or --insecure-http")
	f.StringVar(&s.PublicURL, "public-url", "", "`URL` under which users reach the server (default: http://LISTEN)")
	f.StringVar(&s.MetricsListen, "metrics-listen", "", "`address`, loopback or private, to serve /metrics on without a key (default: only on --listen, for admins of the first organization)")
	f.StringVar(&s.OTLPEndpoint, "otlp-endpoint", "", "`URL` of an OpenTelemetry collector (OTLP over HTTP) for traces")
	f.StringVar(&s.DataDir, "data-dir", DefaultDataDir(), "`directory` of the database, the keys and, by default, the content")
	s.storeFlags(f)
	f.StringVar(&s.MasterKeyFile, "master-key-file", "", "`file` of the 96-byte master key (default: DATA-DIR/master.key, made for a new store)")
	f.StringVar(&s.KMS, "kms", "", "`URI` of the master key in a key service, instead of a file: aws-kms://ARN, gcp-kms://projects/… or azure-kms://NAME.vault.azure.net/keys/KEY; the credentials are those of the SDK's own chain; see docs/keys.md")
	f.StringVar(&s.SecondMaster, "second-master-key", "", "`file` or URI of a second master key, while `mooring keys rewrap` changes from one to the other")
	f.StringVar(&s.Destination, "destination", "", "`folder` of the default destination (default: DATA-DIR/buckets)")
	f.StringSliceVar(&s.AllowNetworks, "allow-network", nil, "loopback or private `CIDR` that connections may reach (repeatable)")
	f.StringVar(&s.OutboundProxy, "outbound-proxy", "", "`URL` of the proxy for connections; environment proxies are not used")
	f.StringSliceVar(&s.Endpoints, "provider-endpoint", nil, "`PROVIDER.NAME=URL` to use instead of the provider's own, e.g. sharepoint.api=https://graph.microsoft.us/v1.0 (repeatable)")
	f.StringSliceVar(&s.TrustedProxies, "trusted-proxy", nil, "`CIDR` of reverse proxies whose X-Forwarded-For is believed (repeatable)")
	f.BoolVar(&s.InsecureHTTP, "insecure-http", false, "serve without TLS on an address that is not loopback")
	f.StringVar(&s.TLSCert, "tls-cert", "", "`file` of the certificate chain (PEM)")
	f.StringVar(&s.TLSKey, "tls-key", "", "`file` of the certificate's private key (PEM)")
	f.IntVar(&s.Syncs, "syncs", 4, "sync runs at once in this process")
	f.DurationVar(&s.CheckEvery, "check-interval", 5*time.Minute, "`time` between checks of a connection that works, 1m to 24h; a connection may have its own")
	f.BoolVar(&s.Retain, "archive-retain-credentials", false, "keep the sealed credentials of archived connections")
	f.IntVar(&s.AuditDays, "audit-retention-days", 0, "`days` that entries of audit trails are kept; a signed checkpoint takes the place of older ones (default: for ever)")
	s.oauthFlags(f)
	s.destinationFlags(f)
	f.StringVar(&s.LogLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&s.LogFormat, "log-format", "text", "text or json")
	return s
}

// DefaultDataDir is $XDG_DATA_HOME/mooring, or ~/.local/share/mooring.
func DefaultDataDir() string {
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "mooring")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "mooring-data"
	}
	return filepath.Join(home, ".local", "share", "mooring")
}

func invalid(msg string) error { return errs.New(errs.Invalid, "config", msg) }

// Validate checks the settings against each other and completes defaults that
// follow from others.
func (s *Server) Validate() error {
	if s.KMS != "" && s.MasterKeyFile != "" {
		return invalid("--kms and --master-key-file exclude each other; --second-master-key is for the other one")
	}
	if s.Syncs < 1 || s.Syncs > 256 {
		return invalid("--syncs must be between 1 and 256")
	}
	if s.CheckEvery < time.Minute || s.CheckEvery > 24*time.Hour {
		return invalid("--check-interval must be between 1m and 24h")
	}
	if s.AuditDays < 0 || s.AuditDays > 36500 {
		return invalid("--audit-retention-days must be between 0 and 36500")
	}
	switch s.LogLevel {
	case "debug", "info", "warn", "error":
	default:
		return invalid("--log-level must be debug, info, warn or error")
	}
	if s.LogFormat != "text" && s.LogFormat != "json" {
		return invalid("--log-format must be text or json")
	}
	for _, check := range []func() error{s.checkStore, s.checkNetworks, s.checkProxy, s.checkEndpoints, s.checkPublicURL, s.checkOAuth, s.checkDestinations, s.checkListen, s.checkTLS, s.checkTelemetry} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) checkNetworks() (err error) {
	if s.networks, err = prefixes("--allow-network", s.AllowNetworks); err != nil {
		return err
	}
	s.proxies, err = prefixes("--trusted-proxy", s.TrustedProxies)
	return err
}

func prefixes(flag string, list []string) (out []netip.Prefix, err error) {
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, invalid(flag + ": " + text + " is not a network such as 10.0.0.0/8")
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func (s *Server) checkProxy() error {
	if s.OutboundProxy == "" {
		return nil
	}
	u, err := url.Parse(s.OutboundProxy)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5") {
		return invalid("--outbound-proxy must be an http, https or socks5 URL")
	}
	s.proxyURL = u
	return nil
}

// endpointNames are what the adapters let an operator replace.
var endpointNames = map[string][]string{
	"google_drive": {"api", "token", "consent"},
	"s3":           {"sts"},
	"sharepoint":   {"api", "token"},
	"snowflake":    {"api"},
}

func (s *Server) checkEndpoints() error {
	s.endpoints = map[string]map[string]string{}
	for _, entry := range s.Endpoints {
		name, address, _ := strings.Cut(entry, "=")
		provider, endpoint, _ := strings.Cut(name, ".")
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
			return invalid("--provider-endpoint: " + name + " needs an http or https URL without user info, as in " + name + "=https://…")
		}
		if !slices.Contains(endpointNames[provider], endpoint) {
			return invalid("--provider-endpoint: " + name + " is not an endpoint; there are google_drive.api, google_drive.token, google_drive.consent, s3.sts, sharepoint.api, sharepoint.token, snowflake.api")
		}
		if s.endpoints[provider] == nil {
			s.endpoints[provider] = map[string]string{}
		}
		s.endpoints[provider][endpoint] = address
	}
	return nil
}

func (s *Server) checkListen() error {
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil || port == "" {
		return invalid("--listen: " + s.Listen + " is not host:port")
	}
	if loopback(host) || s.TLSCert != "" || len(s.proxies) > 0 || s.InsecureHTTP {
		return nil
	}
	return invalid("--listen: " + s.Listen + " can be reached from other machines: give --tls-cert and --tls-key, --trusted-proxy with the network of a proxy that ends TLS, or --insecure-http")
}

// checkTelemetry guards what is told without a key, or sent to wherever it says.
func (s *Server) checkTelemetry() error {
	if s.MetricsListen != "" {
		host, port, err := net.SplitHostPort(s.MetricsListen)
		if err != nil || port == "" {
			return invalid("--metrics-listen: " + s.MetricsListen + " is not host:port")
		}
		if a, err := netip.ParseAddr(host); !loopback(host) && (err != nil || !a.Unmap().IsPrivate()) && !s.InsecureHTTP {
			return invalid("--metrics-listen: " + s.MetricsListen + " may be reached from anywhere, and whoever does needs no key: give a loopback or private address, or --insecure-http")
		}
	}
	if s.OTLPEndpoint == "" {
		return nil
	}
	u, err := url.Parse(s.OTLPEndpoint)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return invalid("--otlp-endpoint must be an http or https URL without user info, as in http://127.0.0.1:4318")
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func (s *Server) checkTLS() error {
	if (s.TLSCert == "") != (s.TLSKey == "") {
		return invalid("--tls-cert and --tls-key go together")
	}
	if s.TLSCert == "" {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(s.TLSCert, s.TLSKey); err != nil {
		return errs.Wrap(err, errs.Invalid, "config", "--tls-cert and --tls-key can't be read as a pair")
	}
	return nil
}

// MasterKey names the master key: a file, or the URI of one in a key service.
func (s *Server) MasterKey() string {
	if s.KMS != "" {
		return s.KMS
	}
	return s.MasterKeyFile
}

// Networks are the ranges of AllowNetworks, after Validate.
func (s *Server) Networks() []netip.Prefix { return s.networks }

// Proxies are the ranges of TrustedProxies, after Validate.
func (s *Server) Proxies() []netip.Prefix { return s.proxies }

// Proxy is OutboundProxy, or nil, after Validate.
func (s *Server) Proxy() *url.URL { return s.proxyURL }

// ProviderEndpoints are the Endpoints by provider and name, after Validate.
func (s *Server) ProviderEndpoints() map[string]map[string]string { return s.endpoints }

// URL is how users reach a server that listens on addr.
func (s *Server) URL(addr string) string {
	switch {
	case s.PublicURL != "":
		return s.PublicURL
	case s.TLSCert != "":
		return "https://" + addr
	}
	return "http://" + addr
}
