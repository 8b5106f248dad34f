package web

import (
	"net/http"
	"net/url"
	"strings"

	"mooring/internal/access"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/store"
	"mooring/internal/surface"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
	syncingservice "mooring/internal/syncing/service"
)

func browsePages() []page {
	return []page{
		{"GET " + connectionPath + "/browse", access.Read, (*visit).browse},
		{"GET " + connectionPath + "/sync", access.Write, (*visit).syncForm},
		{"POST " + connectionPath + "/sync", access.Write, (*visit).makeSync},
		{"POST " + connectionPath + "/bucket", access.Write, (*visit).makeBucket},
	}
}

const itemsShown = 100

type browseData struct {
	Connection connection.Connection
	Path       string
	Crumbs     []choice // the folders above; Value is the address
	Items      []browseItem
	First      bool
	Here, Next string
	SyncURL    string
}

type browseItem struct {
	driver.Item
	URL string // of a folder
}

// browseURL is the page of a path.
func browseURL(c connection.Connection, path, cursor string) string {
	q := url.Values{}
	if path != "" {
		q.Set("path", path)
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	return withQuery(connectionURL(c)+"/browse", q)
}

func (v *visit) browse() error {
	c, err := v.connection()
	if err != nil {
		return err
	}
	path, cursor := v.r.URL.Query().Get("path"), v.r.URL.Query().Get("cursor")
	if path == "/" {
		path = ""
	}
	d := browseData{Connection: c, Path: path, First: cursor == "", Here: browseURL(c, path, ""), SyncURL: withQuery(connectionURL(c)+"/sync", url.Values{"path": {path}})}
	d.Crumbs = crumbs(c, path)
	f := frame{Title: "Browse " + c.Name, Section: "connections"}
	status := http.StatusOK
	found, err := v.Connections.Browse(v.ctx(), v.org(), string(c.ID), path, cursor, itemsShown)
	if err != nil { // the way up must stay
		status = surface.Status(err, false)
		v.report(err, status)
		f.Problem = v.problem(err)
	}
	for _, x := range found.Items {
		item := browseItem{Item: x}
		if x.Folder {
			item.URL = browseURL(c, x.Path, "")
		}
		d.Items = append(d.Items, item)
	}
	if found.Next != "" {
		d.Next = browseURL(c, path, found.Next)
	}
	f.Data = d
	return v.show(status, "browse.html", f)
}

func crumbs(c connection.Connection, path string) []choice {
	out := []choice{{Value: browseURL(c, "", ""), Label: c.Name}}
	for i, r := range path {
		if r == '/' && i > 0 {
			out = append(out, choice{Value: browseURL(c, path[:i], ""), Label: path[strings.LastIndexByte(path[:i], '/')+1 : i]})
		}
	}
	if trimmed := strings.TrimSuffix(path, "/"); trimmed != "" {
		out = append(out, choice{Value: browseURL(c, path, ""), Label: trimmed[strings.LastIndexByte(trimmed, '/')+1:], On: true})
	}
	return out
}

type syncFormData struct {
	Connection connection.Connection
	Action     string
	Bucket     []field
	HasBuckets bool
	NewBucket  []field
	What       []field
	Filters    []field
	How        []field
	Preview    *engine.Preview
	OnDelete   string
}

const bucketsOffered = 500

// newSyncForm offers the buckets that the visitor may write to.
func (v *visit) newSyncForm(form url.Values) (d syncFormData, err error) {
	if d.Connection, err = v.connection(); err != nil {
		return d, err
	}
	d.Action = connectionURL(d.Connection)
	buckets, err := v.writable()
	if err != nil {
		return d, err
	}
	var names []string
	for _, b := range buckets {
		names = append(names, string(b.ID), b.Name)
	}
	d.HasBuckets = len(buckets) > 0
	d.Bucket = []field{{Name: "bucket", Label: "Bucket", Kind: "select", Options: choices(form.Get("bucket"), names...), Help: "Where the objects go."}}
	d.What = []field{
		{Name: "source_path", Label: "Source path", Kind: "text", Value: form.Get("path"), Help: "What to sync, as the pages of Browse show it. Of S3: bucket or bucket/prefix. Empty: all, where the provider allows that."},
		{Name: "sync_mode", Label: "Mode", Kind: "select", Options: choices("", "continuous", "Keep in sync", "initial_only", "Once")},
	}
	d.Filters = []field{
		{Name: "file_filters.include_patterns", Label: "Only names like", Kind: "text", Optional: true, Help: "Patterns such as *.pdf or reports/**, separated by commas."},
		{Name: "file_filters.exclude_patterns", Label: "But not names like", Kind: "text", Optional: true},
		{Name: "file_filters.extensions", Label: "Only these extensions", Kind: "text", Optional: true, Help: "Such as pdf, docx."},
		{Name: "file_filters.mime_types", Label: "Only these types", Kind: "text", Optional: true, Help: "Such as image/*, application/pdf."},
		{Name: "file_filters.min_size_bytes", Label: "At least so many bytes", Kind: "number", Optional: true},
		{Name: "file_filters.max_size_bytes", Label: "At most so many bytes", Kind: "number", Optional: true},
		{Name: "file_filters.modified_after", Label: "Changed after", Kind: "date", Optional: true},
		{Name: "file_filters.modified_before", Label: "Changed before", Kind: "date", Optional: true},
	}
	d.How = []field{
		{Name: "delete_policy", Label: "When something is gone at the source", Kind: "select", Options: choices("", "ignore", "Keep it", "tombstone", "Keep its record, remove its content", "delete", "Remove it")},
		{Name: "max_delete_percent", Label: "Never remove more than (percent)", Kind: "number", Value: "20", Help: "Of what is known, in one pass: more looks like a mistake, and nothing is removed."},
		{Name: "polling_interval_seconds", Label: "Seconds between looks", Kind: "number", Value: "300", Help: "30 to 900."},
		{Name: "schedule", Label: "Or by a schedule", Kind: "text", Optional: true, Help: "Five-field cron, such as 0 6 * * 1-5."},
		{Name: "time_zone", Label: "Time zone of the schedule", Kind: "text", Optional: true, Help: "Such as Europe/Berlin; UTC without."},
	}
	spaces, err := v.namespaces()
	d.NewBucket = v.bucketFields(spaces)
	return d, err
}

func (v *visit) writable() ([]bucket.Bucket, error) {
	found, err := v.Store.Buckets().List(v.ctx(), v.org(), bucket.ListFilter{}, store.Page{Limit: bucketsOffered})
	var out []bucket.Bucket
	for _, b := range found.Items {
		if b.Status == bucket.Active && v.who.Reaches(access.Write, access.OfBucket(v.org(), b.Namespace, b.ID)) {
			out = append(out, b)
		}
	}
	return out, err
}

func (v *visit) syncForm() error {
	d, err := v.newSyncForm(v.r.URL.Query())
	if err != nil {
		return err
	}
	return v.showSyncForm(http.StatusOK, d, nil)
}

func (v *visit) showSyncForm(status int, d syncFormData, p *problem) error {
	return v.show(status, "newsync.html", frame{Title: "New sync", Section: "connections", Problem: p, Data: d})
}

// fill gives the form what was sent and what is wrong with it.
func (d *syncFormData) fill(form url.Values, p *problem) {
	for _, list := range [][]field{d.Bucket, d.What, d.Filters, d.How} {
		filled(list, form, p)
	}
	filled(d.NewBucket, nil, p)
}

// makeBucket makes one to sync into, and goes back to the form with it chosen.
func (v *visit) makeBucket() error {
	form, err := v.form()
	if err != nil {
		return err
	}
	d, err := v.newSyncForm(form)
	if err != nil {
		return err
	}
	made, err := v.newBucket(form)
	if err != nil {
		p := v.problem(err)
		filled(d.NewBucket, form, p)
		return v.again(err, "newsync.html", frame{Title: "New sync", Section: "connections", Data: d})
	}
	return v.redirect(withQuery(d.Action+"/sync", url.Values{"path": {form.Get("path")}, "bucket": {string(made.ID)}}))
}

// makeSync previews or creates what the form says.
func (v *visit) makeSync() error {
	form, err := v.form()
	if err != nil {
		return err
	}
	d, err := v.newSyncForm(form)
	if err != nil {
		return err
	}
	if form.Get("do") == "preview" {
		err = v.previewSync(form, &d)
	} else {
		var made syncing.Sync
		if made, err = v.createSync(form, d.Connection); err == nil {
			return v.done(syncURL(made), "sync-created")
		}
	}
	if err != nil {
		p := v.problem(err)
		d.fill(form, p)
		return v.again(err, "newsync.html", frame{Title: "New sync", Section: "connections", Data: d})
	}
	d.fill(form, nil)
	return v.showSyncForm(http.StatusOK, d, nil)
}

func (v *visit) createSync(form url.Values, c connection.Connection) (syncing.Sync, error) {
	b, r, err := v.readSync(form, c)
	if err != nil {
		return syncing.Sync{}, err
	}
	return v.Syncs.Create(v.ctx(), v.org(), v.actor, b, r)
}

func (v *visit) previewSync(form url.Values, d *syncFormData) error {
	b, r, err := v.readSync(form, d.Connection)
	if err != nil {
		return err
	}
	draft, err := v.Syncs.Draft(v.ctx(), v.org(), v.actor, b, r)
	if err != nil {
		return err
	}
	found, err := v.Engine.Preview(v.ctx(), draft, engine.PreviewOptions{})
	if err != nil {
		return err
	}
	d.Preview, d.OnDelete = &found, string(draft.OnDelete)
	return nil
}

// readSync reads the form. The bucket must be within reach, like the connection.
func (v *visit) readSync(form url.Values, c connection.Connection) (b bucket.Bucket, r syncingservice.CreateRequest, err error) {
	at := errs.NewFields("body")
	if form.Get("bucket") == "" {
		at.Add("missing", "choose one, or make one first", "bucket")
		return b, r, at.Err("web.sync")
	}
	if b, err = v.anyBucket(id.Bucket(form.Get("bucket"))); err != nil {
		return b, r, err
	}
	if err := surface.Live(b); err != nil {
		return b, r, err
	}
	r = syncingservice.CreateRequest{Connection: c.ID, SourcePath: strings.TrimSpace(form.Get("source_path")), Mode: syncing.Continuous, CreatedBy: v.user()}
	if form.Get("sync_mode") == "initial_only" {
		r.Mode = syncing.InitialOnly
	}
	if raw := filtersOf(form); len(raw) > 0 {
		r.Filters = syncing.DecodeFilters(raw, at.At("file_filters"))
	}
	policy := syncing.DeletePolicy(form.Get("delete_policy"))
	if policy != "" {
		r.OnDelete = &policy
	}
	r.MaxDeletePercent, r.Polling = numberOf(form, "max_delete_percent", at), numberOf(form, "polling_interval_seconds", at)
	if s := strings.TrimSpace(form.Get("schedule")); s != "" {
		r.Schedule, r.TimeZone = &s, orNil(form.Get("time_zone"))
	}
	return b, r, at.Err("web.sync")
}

// anyBucket finds a bucket by its id, in whatever namespace it is.
func (v *visit) anyBucket(b id.Bucket) (bucket.Bucket, error) {
	found, err := v.Store.Buckets().Get(v.ctx(), v.org(), b)
	if err != nil {
		return found, surface.MissingIf(err, "bucket", string(b))
	}
	return v.reach().Bucket(v.ctx(), found.Namespace, string(b))
}
