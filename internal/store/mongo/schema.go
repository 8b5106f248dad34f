package mongo

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"mooring/internal/errs"
)

// schemaVersion is that of the documents below. It grows when a program of
// before could not work on what this one writes.
const schemaVersion = 1

// index is one of a collection's, ascending in all its fields: read backwards
// it serves the orders that are newest first.
type index struct {
	name   string
	fields string // separated by spaces
	unique bool
}

// collections are all that the store keeps, with their indexes beside _id.
//
// Where rows belong to something, _id begins with what that is, see rowID, so
// that they are found, in order, by a range of _id. Fields of `derived` are
// computed from the document. A name that is unique among live records alone
// stands in derived.unique, where the id stands once the record is not live:
// so a full index serves. derived.waiting is the revision that last filled an
// outbox which the relay has not emptied.
var collections = map[string][]index{
	"meta":          nil,
	"leases":        nil,
	"sequences":     nil,
	"checkpoints":   nil,
	"names":         {{"folded", "internal_id bucket_id folded", true}},
	"pages":         nil,
	"organizations": {{"list", "created_at _id", false}, waiting},
	"users":         {list, {"email", "internal_id email", true}, waiting},
	"namespaces":    {list, {"name", "internal_id namespace_name", true}, waiting},
	"api_keys": {
		list, {"user", "internal_id user_id created_at _id", false}, {"unique", "internal_id user_id derived.unique", true},
		{"hash", "key_hash", true}, waiting,
	},
	"connections": {
		list, {"name", "internal_id name created_at _id", false}, {"unique", "internal_id derived.unique", true},
		{"due", "next_check_at _id derived.host", false}, {"census", "provider_type status", false}, {"status", "internal_id status", false}, waiting,
	},
	"sessions": {list, {"expires", "internal_id expires_at", false}, waiting},
	"tokens":   {{"organization", "internal_id", false}},
	"consents": {list, {"expires", "internal_id expires_at", false}, waiting},
	"usage":    {{"day", "internal_id day", false}},
	"buckets":  {list, {"unique", "internal_id namespace_id derived.unique", true}, {"status", "status _id", false}, waiting},
	"syncs": {
		list, {"bucket", "internal_id bucket_id created_at _id", false}, {"connection", "internal_id connection_id created_at _id", false},
		{"queue", "derived.queue derived.at _id", false}, waiting,
	},
	"passes": {{"sync", "internal_id sync_config_id", false}},
	"shards": {{"pass", "internal_id pass_id _id", false}, {"sync", "internal_id sync_config_id", false}},
	"runs": {
		{"list", "internal_id started_at _id", false}, {"sync", "internal_id sync_config_id started_at _id", false},
		{"bucket", "internal_id bucket_id started_at _id", false}, waiting,
	},
	"objects": {
		{"key", "internal_id bucket_id connection_id source_id", false}, {"sync", "internal_id bucket_id sync_config_id source_id", false},
		{"created", "internal_id bucket_id created_at _id", false}, {"updated", "internal_id bucket_id updated_at _id", false},
		{"size", "internal_id bucket_id size _id", false}, {"path", "internal_id bucket_id source_path _id", false},
		{"content", "internal_id bucket_id sha256 state created_at source_id", false},
		{"original", "internal_id bucket_id sha256 duplicate_of state", false}, // of a content that a million objects have
		{"parent", "internal_id bucket_id connection_id parent _id", false}, {"present", "internal_id bucket_id state size created_at", false},
	},
	"absences": {{"object", "internal_id sync_config_id pass_id object", false}},
	"dead_letters": {
		{"source", "internal_id sync_config_id source_id", false}, {"list", "internal_id sync_config_id created_at _id", false},
	},
	"tree": {{"parent", "internal_id sync_config_id parent _id", false}},
	"audit": {
		{"sequence", "internal_id sequence", true}, {"list", "internal_id timestamp sequence", false},
		{"resource", "internal_id resource_id timestamp sequence", false},
	},
	"events":     {{"sequence", "internal_id sequence", true}},
	"webhooks":   {list, {"queue", "status retry_at _id", false}, waiting},
	"deliveries": {{"list", "internal_id webhook_id created_at _id", false}, {"due", "internal_id webhook_id next_at", false}},
	"data_keys":  {{"keyAltNames", "keyAltNames", true}},
}

var (
	list    = index{"list", "internal_id created_at _id", false}
	waiting = index{"waiting", "derived.waiting", false}
)

// rowID is the _id of a row that belongs to something: the organization, what
// it belongs to, and last its own id, the only part that may hold a slash.
func rowID(parts ...string) string { return strings.Join(parts, "/") }

// below is the range of the _ids after one that begin as rowID(parts...) does.
func below(after string, parts ...string) bson.D {
	p := rowID(parts...)
	return bson.D{{Key: "$gt", Value: p + "/" + after}, {Key: "$lt", Value: p + "0"}} // 0 comes after the slash
}

// migrate makes what is missing and checks what is there. Several processes may
// do so at once.
func (s *Store) migrate(ctx context.Context) error {
	const op = "mongo.open"
	version, err := s.version(ctx)
	if err != nil {
		return err
	}
	if version > schemaVersion {
		return errs.New(errs.Conflict, op, "the store was written by a newer Mooring: its schema has version "+
			strconv.Itoa(version)+", this program knows "+strconv.Itoa(schemaVersion))
	}
	var all errgroup.Group
	all.SetLimit(8)
	for name, indexes := range collections {
		all.Go(func() error { return s.makeIndexes(ctx, name, indexes) })
	}
	if err := all.Wait(); err != nil {
		return err
	}
	if version == 0 {
		err = s.insert(ctx, op, "meta", bson.D{{Key: "_id", Value: schemaVersionName}, {Key: "value", Value: []byte(strconv.Itoa(schemaVersion))}})
	}
	if errs.Is(err, errs.AlreadyExists) { // another process was first
		return nil
	}
	return err
}

func (s *Store) version(ctx context.Context) (int, error) {
	text, err := s.meta(ctx, schemaVersionName)
	if err != nil || text == nil {
		return 0, err
	}
	version, err := strconv.Atoi(string(text))
	return version, errs.Wrap(err, errs.Corrupt, "mongo.open", "the version of the schema can't be read")
}

// makeIndexes makes the indexes that a collection lacks, and the collection.
func (s *Store) makeIndexes(ctx context.Context, name string, indexes []index) error {
	const op = "mongo.open"
	c := s.db.Collection(name)
	known, err := c.Indexes().ListSpecifications(ctx)
	if err != nil {
		return classify(ctx, err, op)
	}
	var missing []driver.IndexModel
	for _, x := range indexes {
		at := slices.IndexFunc(known, func(k driver.IndexSpecification) bool { return k.Name == x.name })
		if at < 0 {
			missing = append(missing, x.model())
		} else if !x.is(known[at]) {
			return errs.New(errs.Conflict, op, "the index "+x.name+" of the collection "+name+" is not the one that Mooring makes: ("+x.describe()+
				"). Drop it while no Mooring runs; the next start makes it anew")
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.Indexes().CreateMany(ctx, missing)
	if errs.Is(classify(ctx, err, op), errs.AlreadyExists) {
		return errs.Wrap(err, errs.Conflict, op, "a unique index of the collection "+name+" can't be made, since documents there have the same values: ("+describeAll(indexes)+")")
	}
	return classify(ctx, err, op)
}

func (x index) keys() bson.D {
	var out bson.D
	for field := range strings.FieldsSeq(x.fields) {
		out = append(out, bson.E{Key: field, Value: int32(1)})
	}
	return out
}

func (x index) model() driver.IndexModel {
	o := options.Index().SetName(x.name)
	if x.unique {
		o.SetUnique(true)
	}
	return driver.IndexModel{Keys: x.keys(), Options: o}
}

// is reports whether an index of the server is x and nothing less: one that is
// sparse would not hold all documents.
func (x index) is(k driver.IndexSpecification) bool {
	unique := k.Unique != nil && *k.Unique
	sparse := k.Sparse != nil && *k.Sparse
	fields, err := k.KeysDocument.Elements()
	if err != nil || unique != x.unique || sparse || k.ExpireAfterSeconds != nil {
		return false
	}
	var names []string
	for _, f := range fields {
		if n, ok := f.Value().AsInt64OK(); !ok || n != 1 {
			return false
		}
		names = append(names, f.Key())
	}
	return strings.Join(names, " ") == x.fields
}

func (x index) describe() string {
	return map[bool]string{true: "unique "}[x.unique] + strings.ReplaceAll(x.fields, " ", ", ")
}

func describeAll(indexes []index) string {
	var out []string
	for _, x := range indexes {
		if x.unique {
			out = append(out, x.describe())
		}
	}
	return strings.Join(out, "; ")
}
