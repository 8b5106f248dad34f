package config

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"mooring/internal/errs"
	"mooring/internal/secret"
)

// The stores.
const (
	SQLite  = "sqlite"
	MongoDB = "mongodb"
)

// storeURIFlag is set by MOORING_STORE_URI or the file alone.
const storeURIFlag = "store-uri"

// maxURIBytes bounds the file of a URI.
const maxURIBytes = 64 << 10

func (s *Server) storeFlags(f *pflag.FlagSet) {
	f.StringVar(&s.Store, "store", "", "where records are kept: sqlite, in the data directory, or mongodb, for several processes (default: mongodb if MOORING_STORE_URI or --store-uri-file is given, else sqlite)")
	f.StringVar(&s.StoreURIFile, "store-uri-file", "", "`file` of the URI of the MongoDB store; MOORING_STORE_URI holds the URI itself")
	f.BoolVar(&s.SharedDataDir, "shared-data-dir", false, "say that every process on the MongoDB store sees the same folder of the destination")
	f.Var((*uriValue)(&s.StoreURI), storeURIFlag, "URI of the MongoDB store, which may hold a password: by MOORING_STORE_URI or the file of --config alone")
	_ = f.MarkHidden(storeURIFlag) // it was just declared
}

// uriValue is a setting that is not shown.
type uriValue secret.String

// Set implements pflag.Value.
func (v *uriValue) Set(text string) error {
	*v = uriValue(secret.New(strings.TrimSpace(text)))
	return nil
}

// Type implements pflag.Value.
func (v *uriValue) Type() string { return "URI" }

// String implements pflag.Value.
func (v *uriValue) String() string {
	if (*secret.String)(v).IsZero() {
		return ""
	}
	return secret.Marker
}

// refuseURI refuses a URI in a command line, which others can read.
func refuseURI(f *pflag.FlagSet) error {
	if flag := f.Lookup(storeURIFlag); flag != nil && flag.Changed {
		return invalid("--" + storeURIFlag + ": a URI may hold a password, and others can read command lines: give it by " + Env(storeURIFlag) + " or --store-uri-file")
	}
	return nil
}

// checkStore reads the URI of the store and completes what follows from the choice.
func (s *Server) checkStore() error {
	if err := s.readURI(); err != nil {
		return err
	}
	if s.Store == "" {
		s.Store = map[bool]string{true: SQLite, false: MongoDB}[s.StoreURI.IsZero()]
	}
	switch {
	case s.Store != SQLite && s.Store != MongoDB:
		return invalid("--store must be sqlite or mongodb")
	case s.Store == SQLite && !s.StoreURI.IsZero():
		return invalid("--store sqlite needs no URI: leave out " + Env(storeURIFlag) + " and --store-uri-file")
	case s.Store == SQLite:
		if s.MasterKeyFile == "" && s.KMS == "" {
			s.MasterKeyFile = filepath.Join(s.DataDir, "master.key")
		}
		return nil
	case s.StoreURI.IsZero():
		return invalid("--store mongodb needs the URI of the database: give it by " + Env(storeURIFlag) + " or --store-uri-file")
	case s.MasterKeyFile == "" && s.KMS == "":
		return invalid("--master-key-file must name the file of the master key, the same 96 bytes for every process: with MongoDB none is made (or give --kms)")
	}
	return nil
}

func (s *Server) readURI() error {
	if s.StoreURIFile == "" {
		return nil
	}
	if !s.StoreURI.IsZero() {
		return invalid("give one of " + Env(storeURIFlag) + " and --store-uri-file")
	}
	info, err := os.Stat(s.StoreURIFile)
	if err == nil && info.Size() > maxURIBytes {
		return invalid("--store-uri-file: the file is too large for a URI")
	}
	raw, err := os.ReadFile(s.StoreURIFile)
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "config", "--store-uri-file can't be read")
	}
	s.StoreURI = secret.New(strings.TrimSpace(string(raw)))
	return nil
}

// Shared reports whether other processes may work on the store.
func (s *Server) Shared() bool { return s.Store == MongoDB }

// StoreAddress is the URI of the store for people: without user, password and options.
func (s *Server) StoreAddress() string {
	scheme, rest, ok := strings.Cut(s.StoreURI.Reveal(), "://")
	if !ok {
		return s.DataDir
	}
	rest, _, _ = strings.Cut(rest, "?")
	host, database, _ := strings.Cut(rest[strings.LastIndex(rest, "@")+1:], "/")
	return scheme + "://" + host + "/" + url.PathEscape(database)
}
