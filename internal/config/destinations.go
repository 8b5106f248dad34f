package config

import (
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"mooring/internal/errs"
	"mooring/internal/secret"
)

// Destination is a place for the content of buckets, which pick one by its name.
type Destination struct {
	Name string
	Path string // of a folder; "" for a bucket of S3

	Endpoint      string // "" is AWS
	VirtualHosted bool
	Region        string
	Bucket        string
	Prefix        string
	AccessKeyID   string // "": the process' own identity
	Secret        secret.String
}

const destinationsFlag, destinationsTable = "destinations", "destinations"

// DefaultDestination is the name of the one that is used when a bucket names
// none. Unless it is defined, it is the folder of --destination.
const DefaultDestination = "default"

// destinationSettings are one table [destinations.NAME] of the file, or one member
// of the object in MOORING_DESTINATIONS.
type destinationSettings struct {
	Kind        string `json:"kind"`
	Path        string `json:"path"`
	Endpoint    string `json:"endpoint"`
	PathStyle   *bool  `json:"path_style"`
	Region      string `json:"region"`
	Bucket      string `json:"bucket"`
	Prefix      string `json:"prefix"`
	AccessKeyID string `json:"access_key_id"`
	SecretFile  string `json:"secret_access_key_file"`
}

func (s *Server) destinationFlags(f *pflag.FlagSet) {
	f.StringVar(&s.Destinations, destinationsFlag, "", "destinations as JSON; in the file the tables [destinations.NAME] (kind folder: path; kind s3: endpoint, path_style, region, bucket, prefix, access_key_id, secret_access_key_file)")
	_ = f.MarkHidden(destinationsFlag) // it was just declared
}

// The names are those that buckets are created with; regions and buckets are as
// S3 allows, and what others make of it.
var (
	destinationName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,99}$`)
	regionName      = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	bucketName      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$`)
	keyID           = regexp.MustCompile(`^[!-~]{1,255}$`)
)

// maxPrefix leaves room for names: a key has at most 1024 bytes.
const maxPrefix = 300

func (s *Server) checkDestinations() error {
	s.destinations = nil
	if s.Destinations != "" {
		found, ok := decodeTables[destinationSettings](s.Destinations)
		if !ok {
			return invalid("destinations must hold tables [destinations.NAME] of kind, and path, or endpoint, path_style, region, bucket, prefix, access_key_id and secret_access_key_file, and nothing else")
		}
		for name, t := range found {
			d, err := t.read(name)
			if err != nil {
				return err
			}
			s.destinations = append(s.destinations, d)
		}
	}
	switch i := slices.IndexFunc(s.destinations, func(d Destination) bool { return d.Name == DefaultDestination }); {
	case i >= 0 && s.Destination != "":
		return invalid("--destination and destinations.default both say where the default destination is: give one of them")
	case i < 0:
		if s.Destination == "" {
			s.Destination = filepath.Join(s.DataDir, "buckets")
		}
		s.destinations = append(s.destinations, Destination{Name: DefaultDestination, Path: s.Destination})
	}
	slices.SortFunc(s.destinations, func(a, b Destination) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func (t destinationSettings) read(name string) (Destination, error) {
	if !destinationName.MatchString(name) {
		return Destination{}, invalid("destinations: a name has lower-case letters, digits, - and _, at most 100, and begins with a letter or digit")
	}
	at := "destinations." + name + ": "
	switch t.Kind {
	case "folder":
		if !filepath.IsAbs(t.Path) {
			return Destination{}, invalid(at + "path must be the absolute path of a folder")
		}
		if t != (destinationSettings{Kind: t.Kind, Path: t.Path}) {
			return Destination{}, invalid(at + "a folder has a path and nothing else")
		}
		return Destination{Name: name, Path: t.Path}, nil
	case "s3":
		return t.s3(name, at)
	}
	return Destination{}, invalid(at + "kind must be folder or s3")
}

func (t destinationSettings) s3(name, at string) (Destination, error) {
	d := Destination{
		Name: name, Endpoint: t.Endpoint, VirtualHosted: t.PathStyle != nil && !*t.PathStyle, Region: t.Region, Bucket: t.Bucket,
		Prefix: strings.Trim(t.Prefix, "/"), AccessKeyID: t.AccessKeyID,
	}
	u, err := url.Parse(t.Endpoint)
	switch {
	case t.Path != "":
		return d, invalid(at + "path is for folders")
	case t.Endpoint != "" && (err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "http" && u.Scheme != "https"):
		return d, invalid(at + "endpoint must be an http or https URL without user info, as in https://s3.example.com; none is AWS")
	case t.Endpoint == "" && t.PathStyle != nil:
		return d, invalid(at + "path_style is for an endpoint of one's own")
	case !regionName.MatchString(t.Region):
		return d, invalid(at + "region must be a region's name, such as us-east-1")
	case !bucketName.MatchString(t.Bucket):
		return d, invalid(at + "bucket must be the name of a bucket")
	case len(d.Prefix) > maxPrefix || d.Prefix != "" && path.Clean(d.Prefix) != d.Prefix || strings.ContainsFunc(d.Prefix, func(r rune) bool { return r < ' ' || r > '~' }):
		return d, invalid(at + "prefix must be a short path of printable ASCII, such as mooring/content")
	case (t.AccessKeyID == "") != (t.SecretFile == ""):
		return d, invalid(at + "access_key_id and secret_access_key_file go together; without them the process' own identity is used")
	case t.AccessKeyID == "":
		return d, nil
	case !keyID.MatchString(t.AccessKeyID):
		return d, invalid(at + "access_key_id must be the id of an access key")
	}
	if d.Secret, err = readSecret(t.SecretFile); err != nil {
		return d, errs.Wrap(err, errs.Invalid, "config", at+"secret_access_key_file can't be read, or does not hold one line")
	}
	return d, nil
}

// DestinationList are the operator's, sorted by name, the default one among them,
// after Validate.
func (s *Server) DestinationList() []Destination { return s.destinations }
