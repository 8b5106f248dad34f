package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

// Fault is an object whose file is not what the catalogue says.
type Fault struct {
	Object   id.Object
	SourceID string
	Path     string
	Name     string
	Problem  string // ProblemMissing or ProblemDamaged
}

// What can be wrong with a file.
const (
	ProblemMissing = "missing"
	ProblemDamaged = "damaged"
)

// Verification is what Verify found.
type Verification struct {
	Run    syncing.Run // of kind verify; its ledger counts files: unchanged is whole, failed is not
	Faults []Fault     // the first maxFaults
}

const maxFaults = 100

// Verify reads every file of a sync's objects and compares it with the
// catalogue, in a run of kind "verify" with a ledger of its own, under the
// sync's lease. With repair, each object whose file is missing or damaged is
// transferred again by the sync's next run, which is then due at once. It works
// whatever the state of sync and connection; repairing waits for both. begun,
// unless nil, is told the run's id once the run is there to be looked at.
func (e *Engine) Verify(ctx context.Context, org id.Org, s id.Sync, l store.Lease, w id.Worker, repair bool, begun func(id.Run)) (Verification, error) {
	r := &runner{
		Engine: e, org: org, worker: w, lease: l, limits: e.Limits.withDefaults(), folders: map[string]string{},
		log: e.Log.With("sync", string(s), "organization", string(org), "kind", syncing.KindVerify),
	}
	if err := r.loadAny(ctx, s); err != nil {
		return Verification{}, err
	}
	if err := r.recover(ctx); err != nil {
		return Verification{}, err
	}
	if err := r.beginVerify(ctx); err != nil {
		return Verification{}, err
	}
	if begun != nil {
		begun(r.run.ID)
	}
	v := &verifier{r: r, repair: repair}
	err := v.all(ctx)
	run, closeErr := v.close(context.WithoutCancel(ctx), err)
	if closeErr != nil {
		return Verification{Run: r.run, Faults: v.faults}, closeErr
	}
	return Verification{Run: run, Faults: v.faults}, err
}

// loadAny reads what a verification needs, whatever the states.
func (r *runner) loadAny(ctx context.Context, s id.Sync) error {
	var err error
	if r.sync, err = r.Store.Syncs().Get(ctx, r.org, s); err != nil {
		return err
	}
	if r.bucket, err = r.Store.Buckets().Get(ctx, r.org, r.sync.Bucket); err != nil {
		return err
	}
	if r.sync.DeletedAt != nil || r.bucket.Status != bucket.Active {
		return errs.New(errs.Conflict, "sync.verify", "the sync or its bucket is being deleted")
	}
	r.sink, err = r.Sinks(ctx, r.bucket)
	return err
}

// beginVerify inserts the run and lets the sync name it.
func (r *runner) beginVerify(ctx context.Context) error {
	now, before := r.now(), r.sync.CurrentRun
	run, err := r.Store.Runs().Insert(ctx, r.org, syncing.Run{
		ID: r.run.ID, Org: r.org, Sync: r.sync.ID, Bucket: r.bucket.ID, Provider: r.sync.Provider, Number: r.sync.RunCounter + 1,
		Kind: syncing.KindVerify, Status: syncing.RunInProgress, Worker: r.worker, StartedAt: now, UpdatedAt: now,
	})
	if err != nil {
		return err
	}
	r.run = run
	r.step(StepRunInserted)
	s, err := r.Store.Syncs().Update(ctx, r.org, r.sync.ID, func(s *syncing.Sync) error {
		if s.CurrentRun != before {
			return errLost
		}
		s.BeginVerify(run.ID, now)
		return nil
	})
	if err == nil {
		r.sync = s
		r.step(StepRunBegun)
	}
	return err
}

// verifier goes through the catalogue.
type verifier struct {
	r        *runner
	repair   bool
	ledger   syncing.Ledger
	faults   []Fault
	repaired int
}

func (v *verifier) all(ctx context.Context) error {
	r := v.r
	for after := key.Key(""); ; {
		list, err := r.Store.Catalogue().Scan(ctx, r.org, r.bucket.ID, r.sync.Connection, after, "", r.limits.ScanRows)
		if err != nil {
			return err
		}
		if err := v.some(ctx, list); err != nil {
			return err
		}
		if len(list) < r.limits.ScanRows {
			return nil
		}
		after = list[len(list)-1].SourceID
	}
}

// some verifies a part of the catalogue and notes how far it came.
func (v *verifier) some(ctx context.Context, list []bucket.Entry) error {
	r := v.r
	var ids []id.Object
	for _, e := range list {
		if e.Sync == r.sync.ID && e.State == bucket.Present {
			ids = append(ids, e.ID)
		}
	}
	objects, err := r.Store.Catalogue().Lookup(ctx, r.org, r.bucket.ID, ids)
	if err != nil {
		return err
	}
	problems := make([]string, len(ids))
	group, part := errgroup.WithContext(ctx)
	group.SetLimit(filesAtOnce)
	for i, o := range ids {
		group.Go(func() error {
			var err error
			problems[i], err = r.problem(part, objects[o])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var letters []syncing.DeadLetter
	for i, o := range ids {
		obj := objects[o]
		v.ledger.Bytes += obj.Size
		if problems[i] == "" {
			v.ledger.Count(syncing.Unchanged, "")
			continue
		}
		v.ledger.Count(syncing.FailedItem, problems[i])
		if len(v.faults) < maxFaults {
			v.faults = append(v.faults, Fault{Object: o, SourceID: string(obj.SourceID), Path: obj.SourcePath, Name: obj.Name, Problem: problems[i]})
		}
		letters = append(letters, syncing.Again(obj, "the file in the bucket is "+problems[i], r.run.ID, r.now()))
	}
	if v.repair && len(letters) > 0 {
		if err := r.Store.DeadLetters().Put(ctx, r.org, letters); err != nil {
			return err
		}
		v.repaired += len(letters)
	}
	_, err = r.Store.Runs().Update(ctx, r.org, r.run.ID, func(x *syncing.Run) error {
		x.Ledger, x.UpdatedAt = v.ledger, r.now()
		return nil
	})
	return err
}

// problem compares an object's file with the catalogue. "" is whole.
func (r *runner) problem(ctx context.Context, o bucket.Object) (string, error) {
	f, err := r.sink.Open(ctx, o.Name, 0)
	if errs.Is(err, errs.NotFound) {
		return r.still(ctx, o, ProblemMissing)
	}
	if err != nil {
		return "", ours(err, "reading a file failed")
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	n, err := io.CopyBuffer(h, contextReader{ctx, f}, *b)
	if err != nil {
		return "", ours(err, "reading a file failed")
	}
	if n != o.Size || hex.EncodeToString(h.Sum(nil)) != o.SHA256 {
		return r.still(ctx, o, ProblemDamaged)
	}
	return "", nil
}

// still reports a problem unless the object was changed or deleted meanwhile.
func (r *runner) still(ctx context.Context, o bucket.Object, problem string) (string, error) {
	now, err := r.Store.Catalogue().Get(ctx, r.org, r.bucket.ID, o.ID)
	if errs.Is(err, errs.NotFound) || err == nil && (now.State != o.State || now.SHA256 != o.SHA256 || now.Name != o.Name) {
		return "", nil
	}
	return problem, err
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.Reader.Read(p)
}

// close ends the run.
func (v *verifier) close(ctx context.Context, err error) (syncing.Run, error) {
	ctx, cancel := context.WithTimeout(ctx, finalGrace)
	defer cancel()
	r := v.r
	r.run.Ledger = v.ledger
	c := r.closing(err)
	if err == nil && v.ledger.Failed > 0 {
		c.reason = fmt.Sprintf("%d files are missing, %d are damaged", v.ledger.FailedBy[ProblemMissing], v.ledger.FailedBy[ProblemDamaged])
		if v.repair {
			c.reason += ": they are transferred again by the next run"
		}
	}
	run, err := r.closeRun(ctx, r.run, c)
	if err != nil {
		return run, err
	}
	return run, r.mine(ctx, func(s *syncing.Sync) error {
		s.EndVerify(run, v.repaired > 0, r.now())
		return nil
	})
}
