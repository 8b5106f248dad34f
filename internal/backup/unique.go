package backup

import (
	"crypto/sha256"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/access"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/store/raw"
)

// uniqueIn are the fields of the collections in which a name is unique and can
// move from one document to another, and the status of those that have none.
var uniqueIn = map[raw.Collection]struct {
	fields []string
	ended  string
}{
	raw.Users:       {[]string{"internal_id", "email"}, ""},
	raw.Namespaces:  {[]string{"internal_id", "namespace_name"}, ""},
	raw.APIKeys:     {[]string{"internal_id", "user_id", "name"}, string(access.KeyRevoked)},
	raw.Connections: {[]string{"internal_id", "name"}, string(connection.Archived)},
	raw.Buckets:     {[]string{"internal_id", "namespace_id", "name"}, bucket.Archived},
}

const keyBytes = 16

// unique notes whether a name was met twice.
type unique struct {
	of struct {
		fields []string
		ended  string
	}
	met   map[[keyBytes]byte]bool
	twice bool
}

func (u *unique) note(d bson.Raw) {
	if status, _ := d.Lookup("status").StringValueOK(); len(u.of.fields) == 0 || u.of.ended != "" && status == u.of.ended {
		return
	}
	h := sha256.New()
	for _, f := range u.of.fields {
		h.Write(d.Lookup(f).Value) // a BSON string begins with its length
	}
	k := [keyBytes]byte(h.Sum(nil))
	u.twice = u.twice || u.met[k]
	u.met[k] = true
}
