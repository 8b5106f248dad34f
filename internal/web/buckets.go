package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"mooring/internal/access"
	"mooring/internal/bucket"
	bucketservice "mooring/internal/bucket/service"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/surface"
	"mooring/internal/syncing"
)

const (
	bucketsPath = "/buckets"
	bucketPath  = bucketsPath + "/{bucket}"
	objectPath  = bucketPath + "/objects/{object}"
)

func bucketPages() []page {
	return []page{
		{"GET " + bucketsPath, access.Read, (*visit).listBuckets},
		{"POST " + bucketsPath, access.Write, (*visit).createBucket},
		{"GET " + bucketPath, access.Read, (*visit).showBucket},
		{"POST " + bucketPath + "/delete", access.Delete, (*visit).deleteBucket},
		{"GET " + objectPath, access.Read, (*visit).showObject},
		{"GET " + objectPath + "/content", access.Read, (*visit).objectContent},
		{"POST " + objectPath + "/delete", access.Delete, (*visit).deleteObject},
	}
}

// bucketURL is the page of a bucket.
func bucketURL(b bucket.Bucket) string { return bucketsPath + "/" + url.PathEscape(string(b.ID)) }

func objectURL(o bucket.Object) string {
	return bucketsPath + "/" + url.PathEscape(string(o.Bucket)) + "/objects/" + url.PathEscape(string(o.ID))
}

const (
	bucketsShown = 50
	objectsShown = 50
)

type bucketList struct {
	Now        time.Time
	Filters    []field
	Rows       []bucket.Bucket
	Names      map[id.Namespace]string // of namespaces, where there are several
	Total      int64
	All        bool
	First      bool
	Here, Next string
	Form       []field
}

func (v *visit) listBuckets() error { return v.bucketsPage(http.StatusOK, nil, nil) }

func (v *visit) bucketsPage(status int, sent url.Values, failure error) error {
	q := v.r.URL.Query()
	f := bucket.ListFilter{Search: q.Get("q")}
	found, total, err := surface.List(v.ctx(), v.who, store.Page{Limit: bucketsShown, Cursor: q.Get("cursor")}, surface.Source[bucket.Bucket]{
		List: func(ctx context.Context, p store.Page) (store.List[bucket.Bucket], error) {
			return v.Store.Buckets().List(ctx, v.org(), f, p)
		},
		Count:    func(ctx context.Context) (int64, error) { return v.Store.Buckets().Count(ctx, v.org(), f) },
		Resource: func(b bucket.Bucket) access.Resource { return access.OfBucket(v.org(), b.Namespace, b.ID) },
		Position: func(b bucket.Bucket) surface.Position {
			return surface.Position{Created: b.CreatedAt, ID: string(b.ID)}
		},
	})
	if err != nil {
		return err
	}
	spaces, err := v.namespaces()
	if err != nil {
		return err
	}
	d := bucketList{
		Now: v.now(), Rows: found.Items, Total: total, All: f.Search == "", First: q.Get("cursor") == "",
		Filters: []field{{Name: "q", Label: "Name contains", Kind: "search", Value: f.Search}},
	}
	fr := frame{Title: "Buckets", Section: "buckets", Data: &d}
	if failure != nil {
		v.report(failure, status)
		fr.Problem = v.problem(failure)
	}
	if len(spaces) > 1 {
		d.Names = map[id.Namespace]string{}
		for _, n := range spaces {
			d.Names[n.ID] = n.Name
		}
	}
	d.Form = filled(v.bucketFields(spaces), sent, fr.Problem)
	narrowed := said(q, "q")
	d.Here = withQuery(bucketsPath, narrowed)
	if found.Next != "" {
		narrowed.Set("cursor", found.Next)
		d.Next = withQuery(bucketsPath, narrowed)
	}
	return v.show(status, "buckets.html", fr)
}

func (v *visit) createBucket() error {
	form, err := v.form()
	if err != nil {
		return err
	}
	b, err := v.newBucket(form)
	if err != nil {
		return v.bucketsPage(surface.Status(err, true), form, err)
	}
	return v.done(bucketURL(b), "bucket-made")
}

// namespaces are those of the organization, a thousand at most.
func (v *visit) namespaces() ([]access.Namespace, error) {
	found, err := v.Store.Namespaces().List(v.ctx(), v.org(), store.Page{Limit: 1000})
	return found.Items, err
}

// bucketFields are what newBucket reads. What there is only one of is not asked for.
func (v *visit) bucketFields(spaces []access.Namespace) []field {
	fields := []field{
		{Name: "bucket_name", Label: "Name", Kind: "text"},
		{Name: "description", Label: "Description", Kind: "text", Optional: true},
	}
	if len(spaces) > 1 {
		var pairs []string
		for _, n := range spaces {
			pairs = append(pairs, string(n.ID), n.Name)
		}
		fields = append(fields, field{Name: "namespace", Label: "Namespace", Kind: "select", Options: choices("", pairs...)})
	}
	if names := v.Buckets.DestinationNames(); len(names) > 1 {
		var pairs []string
		for _, n := range names {
			pairs = append(pairs, n, n)
		}
		fields = append(fields, field{
			Name: "destination", Label: "Destination", Kind: "select", Options: choices(bucketservice.DefaultDestination, pairs...),
			Help: "Where its content is kept. That can't be changed later.",
		})
	}
	return fields
}

// newBucket makes the bucket that a form describes.
func (v *visit) newBucket(form url.Values) (bucket.Bucket, error) {
	ns, err := v.Access.Namespace(v.ctx(), v.org(), form.Get("namespace"))
	if err == nil {
		err = v.reach().Covers(access.OfBucket(v.org(), ns.ID, ""))
	}
	if err != nil {
		return bucket.Bucket{}, err
	}
	return v.Buckets.Create(v.ctx(), v.org(), ns.ID, v.actor, bucketservice.CreateRequest{
		Name: form.Get("bucket_name"), Description: orNil(form.Get("description")), Destination: form.Get("destination"), CreatedBy: v.user(),
	})
}

// bucket finds the one that the path names, in whichever namespace it is.
func (v *visit) bucket() (bucket.Bucket, error) {
	name := v.path("bucket")
	b, err := v.Store.Buckets().Get(v.ctx(), v.org(), id.Bucket(name))
	if err != nil {
		return b, surface.MissingIf(err, "bucket", name)
	}
	return v.reach().Bucket(v.ctx(), b.Namespace, string(b.ID))
}

type bucketData struct {
	Now        time.Time
	Bucket     bucket.Bucket
	Several    bool // destinations
	Live       bool
	Syncs      []syncing.Sync
	MoreSyncs  bool
	Filters    []field
	Objects    []bucket.Object
	All        bool
	First      bool
	Here, Next string
	Form       []field
}

func (v *visit) showBucket() error { return v.bucketPage(http.StatusOK, nil) }

var objectOrders = map[string]bucket.Filter{
	"":     {Sort: "created_at", Desc: true},
	"path": {Sort: "source_path"},
	"size": {Sort: "size", Desc: true},
	"new":  {Sort: "updated_at", Desc: true},
}

func (v *visit) bucketPage(status int, failure error) error {
	b, err := v.bucket()
	if err != nil {
		return err
	}
	q := v.r.URL.Query()
	f := objectOrders[q.Get("sort")]
	f.Search = q.Get("q")
	found, err := v.Store.Catalogue().List(v.ctx(), v.org(), b.ID, f, store.Page{Limit: objectsShown, Cursor: q.Get("cursor")})
	if err != nil {
		return err
	}
	syncs, err := v.Store.Syncs().List(v.ctx(), v.org(), syncing.Filter{Bucket: b.ID}, store.Page{Limit: syncsShown})
	if err != nil {
		return err
	}
	d := bucketData{
		Now: v.now(), Bucket: b, Several: len(v.Buckets.DestinationNames()) > 1, Live: b.Status == bucket.Active, Syncs: syncs.Items, MoreSyncs: syncs.Next != "", Objects: found.Items, All: f.Search == "", First: q.Get("cursor") == "",
		Filters: []field{
			{Name: "q", Label: "Path contains", Kind: "search", Value: f.Search},
			{Name: "sort", Label: "Order", Kind: "select", Options: choices(q.Get("sort"), "", "Newest first", "path", "By path", "size", "Largest first", "new", "Changed last")},
		},
	}
	fr := frame{Title: b.Name, Section: "buckets", Data: &d}
	if failure != nil {
		v.report(failure, status)
		fr.Problem = v.problem(failure)
	}
	d.Form = filled([]field{{Name: "confirm", Label: "Name of the bucket", Kind: "text", Help: "This deletes the bucket, its syncs and everything in it, and can't be undone."}}, nil, fr.Problem)
	narrowed := said(q, "q", "sort")
	d.Here = withQuery(bucketURL(b), narrowed)
	if found.Next != "" {
		narrowed.Set("cursor", found.Next)
		d.Next = withQuery(bucketURL(b), narrowed)
	}
	return v.show(status, "bucket.html", fr)
}

func (v *visit) deleteBucket() error {
	b, err := v.bucket()
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	if form.Get("confirm") != b.Name {
		f := errs.NewFields("body")
		f.Add("value_error", "must be the bucket's name, to make sure that it is this one", "confirm")
		return v.bucketPage(http.StatusUnprocessableEntity, f.Err("web.delete"))
	}
	if _, err := v.Buckets.Delete(v.ctx(), v.org(), v.actor, b); err != nil {
		return v.bucketPage(surface.Status(err, true), err)
	}
	return v.done(bucketsPath, "bucket-deleted")
}

type objectData struct {
	Now    time.Time
	Bucket bucket.Bucket
	Object bucket.Object
	Sign   sign
	From   string // address of the connection, "" where the key does not reach it
	Sync   string
	Fields []detail
}

func (v *visit) object() (b bucket.Bucket, o bucket.Object, err error) {
	if b, err = v.bucket(); err != nil {
		return b, o, err
	}
	o, err = v.Buckets.Object(v.ctx(), v.org(), b, id.Object(v.path("object")))
	return b, o, surface.MissingIf(err, "object", v.path("object"))
}

func (v *visit) showObject() error {
	b, o, err := v.object()
	if err != nil {
		return err
	}
	d := objectData{Now: v.now(), Bucket: b, Object: o, Sign: objectSign(o), Sync: syncURL(syncing.Sync{ID: o.Sync, Bucket: b.ID})}
	if c, err := v.reachFor(access.Read).Connection(v.ctx(), string(o.Connection)); err == nil {
		d.From = connectionURL(c)
	}
	for name, x := range o.Fields {
		d.Fields = append(d.Fields, detail{name, plainText(x)})
	}
	slices.SortFunc(d.Fields, func(a, b detail) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return v.show(http.StatusOK, "object.html", frame{Title: o.SourcePath, Section: "buckets", Data: d})
}

func objectSign(o bucket.Object) sign {
	switch o.State {
	case bucket.Tombstoned:
		return sign{"off", "stop", "Gone at its source"}
	case bucket.Removed:
		return sign{"off", "stop", "Removed here"}
	}
	return sign{"good", "good", "In the bucket"}
}

// objectContent serves stored content, which comes from strangers, as the API does.
func (v *visit) objectContent() error {
	b, o, err := v.object()
	if err != nil {
		return err
	}
	v.endless()
	return surface.Content(v.w, v.r, v.Buckets, b, o)
}

func (v *visit) deleteObject() error {
	b, o, err := v.object()
	if err == nil {
		err = surface.Live(b)
	}
	if err != nil {
		return err
	}
	if err := v.Buckets.DeleteObject(v.ctx(), v.org(), v.actor, b, o.ID); err != nil {
		return err
	}
	return v.done(bucketURL(b), "object-removed")
}
