package web

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

type connectionData struct {
	Now         time.Time
	Connection  connection.Connection
	Sign        sign
	Result      *connectionservice.TestResult // of the test that was just made
	Settings    []detail
	Kind        config.Credential
	Secrets     []string
	Rotated     *time.Time // nil: never
	Advice      string
	Health      bars
	Volume      bars
	Days        []connection.Usage // in order, one for each day
	Total       connection.Usage
	Syncs       []syncing.Sync
	MoreSyncs   bool
	Entries     []audit.Entry // for who may read the trail
	CanResume   bool
	CanSuspend  bool
	CanBrowse   bool
	CanArchive  bool
	ArchiveForm []field
}

const (
	usageDays   = 30
	syncsShown  = 50
	trailShown  = 20
	rotatedSeek = 200
)

func (v *visit) connectionPage(status int, c connection.Connection, failure error, result *connectionservice.TestResult) error {
	d := connectionData{
		Now: v.now(), Connection: c, Sign: connectionSign(c), Result: result, Settings: settingsOf(c.Config), Secrets: secretNames(c.Config),
		Advice: sentence(c.StandingAdvice(v.now())), CanBrowse: c.Status == connection.Active || c.Status == connection.Failed,
		CanResume: c.Status == connection.Suspended, CanSuspend: c.Status == connection.Active || c.Status == connection.Failed, CanArchive: c.Status != connection.Archived,
	}
	spec, _ := config.Lookup(c.Provider)
	d.Kind, _ = spec.Kind(c.Config.Credential)
	f := frame{Title: c.Name, Section: "connections"}
	if failure != nil {
		v.report(failure, status)
		f.Problem = v.problem(failure)
	}
	d.ArchiveForm = filled([]field{{Name: "confirm", Label: "Name of the connection", Kind: "text", Help: "Archiving destroys the stored credentials and can't be undone. What was synced stays."}}, nil, f.Problem)
	for _, read := range []func(*connectionData) error{v.readUsage, v.readSyncs, v.readTrail} {
		if err := read(&d); err != nil {
			return err
		}
	}
	f.Data = d
	return v.show(status, "connection.html", f)
}

// readUsage reads what is known by day. Checks that succeed leave nothing but
// their calls here; those that fail stand in the record as evidence too.
func (v *visit) readUsage(d *connectionData) error {
	first := d.Now.AddDate(0, 0, 1-usageDays)
	known, err := v.Store.Usage().List(v.ctx(), v.org(), d.Connection.ID, connection.DayOf(first), connection.DayOf(d.Now))
	if err != nil {
		return err
	}
	byDay := map[string]connection.Usage{}
	for _, u := range known {
		byDay[u.Day] = u
		u.Runs = nil
		d.Total.Add(u)
	}
	d.Health.Title = fmt.Sprintf("Calls to the provider by day, of the last %d days: %d, of which %d failed and %d were throttled", usageDays, d.Total.Requests, failed(d.Total), d.Total.Throttles)
	d.Volume.Title = fmt.Sprintf("Bytes brought by day, of the last %d days: %s in %d objects", usageDays, bytesText(d.Total.Bytes), d.Total.Objects)
	for i := range usageDays {
		at := first.AddDate(0, 0, i)
		u := byDay[connection.DayOf(at)]
		u.Day = connection.DayOf(at)
		d.Days = append(d.Days, u)
		label := at.Format("2 Jan")
		d.Health.Places = append(d.Health.Places, place{
			Label: label, Title: fmt.Sprintf("%s: %d calls, %d failed, %d throttled", label, u.Requests, failed(u), u.Throttles),
			Parts: []part{{u.Requests - failed(u) - u.Throttles, "good"}, {u.Throttles, "warn"}, {failed(u), "bad"}},
		})
		d.Volume.Places = append(d.Volume.Places, place{
			Label: label, Title: fmt.Sprintf("%s: %s in %d objects", label, bytesText(u.Bytes), u.Objects), Parts: []part{{u.Bytes, "bar0"}},
		})
	}
	return nil
}

func failed(u connection.Usage) (n int64) {
	for _, k := range u.Errors {
		n += k
	}
	return n
}

func (v *visit) readSyncs(d *connectionData) error {
	found, err := v.Store.Syncs().List(v.ctx(), v.org(), syncing.Filter{Connection: d.Connection.ID}, store.Page{Limit: syncsShown})
	if err != nil {
		return err
	}
	d.MoreSyncs = found.Next != ""
	for _, s := range found.Items {
		if v.who.Reaches(access.Read, access.OfBucket(v.org(), s.Namespace, s.Bucket)) {
			d.Syncs = append(d.Syncs, s)
		}
	}
	return nil
}

// readTrail reads the connection's part of the audit trail: for who may read
// all of that; others learn when the credentials were replaced.
func (v *visit) readTrail(d *connectionData) error {
	entries, err := v.Store.Audit().List(v.ctx(), v.org(), audit.Filter{ResourceType: audit.StorageConnection, ResourceID: string(d.Connection.ID), Action: audit.ConnectionUpdated}, 0, rotatedSeek)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if d.Rotated == nil && slices.ContainsFunc(slices.Collect(maps.Keys(e.Changes)), isCredential) {
			d.Rotated = &e.Time
		}
	}
	if !v.who.Allows(access.Admin) || !v.who.Reaches(access.Admin, access.OfOrganization(v.org())) {
		return nil
	}
	d.Entries, err = v.Store.Audit().List(v.ctx(), v.org(), audit.Filter{ResourceType: audit.StorageConnection, ResourceID: string(d.Connection.ID)}, 0, trailShown)
	return err
}

func isCredential(change string) bool {
	return strings.HasPrefix(change, "provider_config.credentials.")
}

// settingsOf are the public parts of a configuration, in the order of the table.
func settingsOf(s config.Sealed) (out []detail) {
	spec, _ := config.Lookup(s.Provider)
	kind, _ := spec.Kind(s.Credential)
	show := func(fields []config.Field, values map[string]any) {
		for _, f := range fields {
			if x, ok := values[f.Name]; ok && !f.Secret {
				out = append(out, detail{labelOf(f.Name), plainText(x)})
			}
		}
	}
	show(spec.Fields, s.Fields)
	show(kind.Fields, s.Credentials)
	return out
}

func plainText(x any) string {
	switch x := x.(type) {
	case []string:
		return strings.Join(x, ", ")
	case bool:
		if x {
			return "yes"
		}
		return "no"
	}
	return fmt.Sprint(x)
}

// changesText says what an entry of the trail changed. It holds no secrets.
func changesText(e audit.Entry) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(e.Changes)) {
		parts = append(parts, strings.ReplaceAll(name, "_", " ")+": "+changeText(e.Changes[name]))
	}
	return strings.Join(parts, "; ")
}

// changeText shows a pair as what was and what is.
func changeText(x any) string {
	list, ok := x.([]any)
	if array, is := x.(bson.A); is {
		list, ok = array, true
	}
	switch {
	case x == nil:
		return "none"
	case ok && len(list) == 2:
		return changeText(list[0]) + " → " + changeText(list[1])
	}
	return fmt.Sprint(x)
}
