package engine

import (
	"context"
	"slices"
	"strings"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/syncing"
)

// naming is where an item stands in the destination from this record on.
type naming struct {
	name  string
	old   string  // where it stood; "" if it is new
	freed key.Key // the reservation of old, when name is another
}

// maxFolders bounds the folder names that a run remembers.
const maxFolders = 50_000

// nameAll reserves names for the works that need one: what is new, and what has
// another path than before. All others keep theirs.
func (d *draft) nameAll(ctx context.Context, works []*work) ([]naming, error) {
	out := make([]naming, len(works))
	var need []int
	for i, w := range works {
		if w.outcome != "" || w.act != transferred && w.act != updated {
			continue
		}
		old := d.objects[w.object]
		out[i] = naming{name: old.Name, old: old.Name}
		if old.Name == "" || old.SourcePath != w.path {
			need = append(need, i)
		}
	}
	if len(need) == 0 {
		return out, nil
	}
	paths := make([]string, len(need))
	for n, i := range need {
		paths[n] = works[i].path
	}
	if err := d.nameFolders(ctx, paths); err != nil {
		return nil, err
	}
	if err := d.nameFiles(ctx, works, need, out); err != nil {
		return nil, err
	}
	d.step(StepReserved)
	return out, nil
}

// nameFiles reserves in at most two rounds: an object that moves holds its old
// name under one of two sources and takes the new one under the other, so that
// nobody can take the old name before the file has left it.
func (d *draft) nameFiles(ctx context.Context, works []*work, need []int, out []naming) error {
	if err := d.noteMoves(ctx, works, need, out); err != nil {
		return err
	}
	names := bucket.Names{Rules: d.sink.Rules()}
	claim := func(i int, source key.Key) bucket.Claim {
		folders, file := bucket.SplitPath(d.sync.Connection, works[i].path)
		return names.Claim(d.parentName(folders), source, file)
	}
	var claims []bucket.Claim
	for _, i := range need {
		source := bucket.FileSource(works[i].object)
		if out[i].old != "" {
			source = otherFileSource(works[i].object)
		}
		claims = append(claims, claim(i, source))
	}
	got, err := d.reserve(ctx, claims)
	if err != nil {
		return err
	}
	var again []int
	claims = nil
	for n, i := range need {
		out[i].name = got[n]
		if out[i].old == "" {
			continue
		}
		out[i].freed = bucket.FileSource(works[i].object)
		if got[n] == out[i].old { // it holds the old name: take the new one under the first source
			out[i].freed = otherFileSource(works[i].object)
			again = append(again, i)
			claims = append(claims, claim(i, bucket.FileSource(works[i].object)))
		}
	}
	if len(again) == 0 {
		return nil
	}
	if got, err = d.reserve(ctx, claims); err != nil {
		return err
	}
	for n, i := range again {
		out[i].name = got[n]
	}
	return nil
}

// noteMoves writes down which objects are about to have two names.
func (d *draft) noteMoves(ctx context.Context, works []*work, need []int, out []naming) error {
	var moving []id.Object
	for _, i := range need {
		if out[i].old != "" {
			moving = append(moving, works[i].object)
		}
	}
	if len(moving) == 0 {
		return nil
	}
	_, err := d.Store.Shards().Update(ctx, d.org, syncing.ShardID(d.rec.Pass, d.rec.Shard), func(s *syncing.Shard) error {
		if s.Applied >= d.rec.Seq {
			return errLost
		}
		s.Moving = moving
		return nil
	})
	return err
}

// endMoves takes the second name from objects that an earlier run was about to
// move. Every record is applied: the name in the row is the one that counts.
func (r *runner) endMoves(ctx context.Context) error {
	shards, err := r.Store.Shards().OfPass(ctx, r.org, r.sync.CurrentPass)
	if err != nil {
		return err
	}
	var moving []id.Object
	for _, s := range shards {
		moving = append(moving, s.Moving...)
	}
	if len(moving) == 0 {
		return nil
	}
	rows, err := r.Store.Catalogue().Lookup(ctx, r.org, r.bucket.ID, moving)
	if err != nil {
		return err
	}
	var spare []key.Key
	for o, row := range rows {
		for _, source := range []key.Key{bucket.FileSource(o), otherFileSource(o)} {
			name, err := r.nameOf(ctx, source)
			if err != nil {
				return err
			}
			if name != "" && name != row.Name {
				spare = append(spare, source)
			}
		}
	}
	return r.Store.Catalogue().Release(ctx, r.org, r.bucket.ID, spare)
}

// nameOf is the name recorded for a source, or "".
func (r *runner) nameOf(ctx context.Context, source key.Key) (string, error) {
	got, err := r.Store.Catalogue().Reserve(ctx, r.org, r.bucket.ID, []bucket.Claim{{Source: source}}) // asks only
	if errs.Is(err, errs.AlreadyExists) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return got[0], nil
}

// otherFileSource is the second source under which an object may hold a name.
func otherFileSource(o id.Object) key.Key { return bucket.FileSource(o) + "/moved" }

// nameFolders makes the names of all folders above some paths known, level by
// level: a folder's name begins with that of its parent.
func (d *draft) nameFolders(ctx context.Context, paths []string) error {
	if len(d.folders) > maxFolders {
		clear(d.folders)
	}
	missing := map[string]bool{}
	for _, p := range paths {
		for i := strings.LastIndexByte(p, '/'); i >= 0; i = strings.LastIndexByte(p[:i], '/') {
			if _, known := d.folders[p[:i]]; known || missing[p[:i]] {
				break
			}
			missing[p[:i]] = true
		}
	}
	levels := map[int][]string{}
	deepest := 0
	for p := range missing {
		n := strings.Count(p, "/")
		levels[n] = append(levels[n], p)
		deepest = max(deepest, n)
	}
	for n := 0; n <= deepest; n++ {
		if err := d.nameLevel(ctx, levels[n]); err != nil {
			return err
		}
	}
	return nil
}

// nameLevel reserves the names of folders whose parents have theirs.
func (d *draft) nameLevel(ctx context.Context, paths []string) error {
	slices.Sort(paths)
	names := bucket.Names{Rules: d.sink.Rules()}
	claims := make([]bucket.Claim, len(paths))
	for i, p := range paths {
		parent, component := "", p
		if at := strings.LastIndexByte(p, '/'); at >= 0 {
			parent, component = d.folders[p[:at]], p[at+1:]
		}
		claims[i] = names.Claim(parent, bucket.FolderSource(d.sync.Connection, p), component)
	}
	got, err := d.reserve(ctx, claims)
	if err != nil {
		return err
	}
	for i, p := range paths {
		d.folders[p] = got[i]
	}
	return nil
}

// parentName is the name of the deepest of some folders, which is known.
func (d *draft) parentName(folders []bucket.Folder) string {
	if len(folders) == 0 {
		return ""
	}
	path := folders[len(folders)-1].Source
	prefix := bucket.FolderSource(d.sync.Connection, "")
	return d.folders[strings.TrimPrefix(string(path), string(prefix))]
}

func (d *draft) reserve(ctx context.Context, claims []bucket.Claim) ([]string, error) {
	if len(claims) == 0 {
		return nil, nil
	}
	got, err := d.Store.Catalogue().Reserve(ctx, d.org, d.bucket.ID, claims)
	if errs.Is(err, errs.AlreadyExists) {
		return nil, errs.New(errs.Internal, "sync.names", "every name proposed for an item is taken")
	}
	return got, err
}
