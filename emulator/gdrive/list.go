package gdrive

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

var (
	listSchema  = selection{"kind": nil, "nextPageToken": nil, "incompleteSearch": nil, "files": fileSchema}
	listDefault = selection{"kind": nil, "nextPageToken": nil, "incompleteSearch": nil, "files": fileDefault}
)

// listing is a request for files, read.
type listing struct {
	corpora string
	drive   *drive
	include bool // what is in shared drives, too
	query   *query
	order   []sortKey
	token   pageToken
	size    int
}

// list answers files.list.
func (x *exchange) list() error {
	fields, err := x.fields(listSchema, listDefault)
	if err != nil {
		return err
	}
	x.s.mu.Lock()
	l, err := x.readListing()
	var page object
	if err == nil {
		page, err = x.listPage(l, fields.of("files"))
	}
	x.s.mu.Unlock()
	if err != nil {
		return err
	}
	return x.json(fields.pick(page))
}

// readListing reads what is asked for. The lock is held.
func (x *exchange) readListing() (l listing, err error) {
	q := x.query
	supports, include, err := x.allDrives()
	if err != nil {
		return l, err
	}
	l.include = include
	if l.corpora = q.Get("corpora"); l.corpora == "" {
		l.corpora = "user"
	}
	if !slices.Contains([]string{"user", "domain", "drive", "allDrives"}, l.corpora) {
		return l, badParameter("corpora", "invalid", "Invalid Value")
	}
	if (l.corpora == "drive" || l.corpora == "allDrives") && !include {
		return l, includeRequired()
	}
	if l.drive, err = x.driveCorpus(supports, include); err != nil {
		return l, err
	}
	if (l.corpora == "drive") != (l.drive != nil) {
		return l, &Error{
			Status: http.StatusForbidden, Reason: "teamDriveIdRequiresTeamDriveCorpora",
			Message: "The driveId parameter must be specified if and only if corpora is set to drive.",
		}
	}
	if err = x.checkSpaces(); err != nil {
		return l, err
	}
	if l.size, err = x.pageSize(100, 1000, true); err != nil {
		return l, err
	}
	if l.query, err = parseQuery(q.Get("q")); err != nil {
		return l, err
	}
	if l.order, err = parseOrder(q.Get("orderBy"), l.query); err != nil {
		return l, err
	}
	l.token.Bound = bind("files", x.user.email, l.corpora, q.Get("driveId"), q.Get("q"), q.Get("orderBy"))
	if text := q.Get("pageToken"); text != "" {
		l.token, err = readToken(text, l.token.Bound)
	}
	return l, err
}

// listPage renders a page. Without an order, items come as they were created, and the
// token is the number of the last one; with one, it counts those before. The lock is
// held.
func (x *exchange) listPage(l listing, fields selection) (object, error) {
	candidates, err := x.candidates(l)
	if err != nil {
		return nil, err
	}
	match := func(i *item) bool { return x.listed(l, i) && l.query.matches(x.user, i) }
	if l.order != nil {
		return x.sortedPage(l, candidates, match, fields), nil
	}
	plan := x.plan.list
	var list []object
	last, before, more := l.token.Next, l.token.Next, false
	for _, i := range candidates[position(candidates, l.token.Next+1):] {
		if !match(i) {
			continue
		}
		if more = len(list) == l.size || plan.empty; more {
			break
		}
		list = append(list, x.file(i, fields))
		before, last = last, i.seq
	}
	if plan.overlap {
		last = before
	}
	return x.filePage(list, pageToken{Bound: l.token.Bound, Next: last}, more || plan.empty), nil
}

func (x *exchange) sortedPage(l listing, candidates []*item, match func(*item) bool, fields selection) object {
	var all []*item
	for _, i := range candidates {
		if match(i) {
			all = append(all, i)
		}
	}
	slices.SortStableFunc(all, func(a, b *item) int {
		for _, k := range l.order {
			if c := k.compare(a, b); c != 0 {
				return c
			}
		}
		return 0
	})
	plan := x.plan.list
	from := min(int(l.token.Next), len(all))
	to := min(from+l.size, len(all))
	if plan.empty {
		to = from
	}
	list := make([]object, 0, to-from)
	for _, i := range all[from:to] {
		list = append(list, x.file(i, fields))
	}
	more := to < len(all) || plan.empty
	if plan.overlap && to > from {
		to--
	}
	return x.filePage(list, pageToken{Bound: l.token.Bound, Next: int64(to)}, more)
}

func (x *exchange) filePage(list []object, next pageToken, more bool) object {
	plan := x.plan.list
	page := object{"kind": "drive#fileList", "incompleteSearch": plan.incomplete, "files": plan.reorder(list)}
	if more && !plan.claimEnd {
		page["nextPageToken"] = next.String()
	}
	return page
}

// candidates are the items to look at, in order of creation: those of the folders that
// the query asks for, or all. The lock is held.
func (x *exchange) candidates(l listing) ([]*item, error) {
	parents, ok := l.query.parents()
	if !ok {
		return x.s.tree.all, nil
	}
	var out []*item
	for _, id := range parents {
		p := x.s.tree.items[id]
		if id == "root" {
			p = x.user.root
		}
		if p == nil || !p.seenBy(x.user) {
			return nil, fileNotFound("")
		}
		if out == nil {
			out = p.children
		} else {
			out = slices.Concat(out, p.children)
		}
	}
	if len(parents) > 1 {
		slices.SortFunc(out, func(a, b *item) int { return cmp.Compare(a.seq, b.seq) })
		out = slices.Compact(out)
	}
	return out, nil
}

// listed says whether an item is in what is listed. Roots never are.
func (x *exchange) listed(l listing, i *item) bool {
	if i.gone || i.parent == nil {
		return false
	}
	in := i.drive()
	switch {
	case l.drive != nil:
		return in == l.drive
	case in != nil && !l.include:
		return false
	}
	return i.seenBy(x.user)
}

// sortKey is one key of orderBy.
type sortKey struct {
	name       string
	descending bool
}

// sortKeys compare items by the keys that there are.
var sortKeys = map[string]func(a, b *item) int{
	"createdTime":      func(a, b *item) int { return a.created.Compare(b.created) },
	"modifiedTime":     byModified,
	"modifiedByMeTime": byModified,
	"viewedByMeTime":   func(_, _ *item) int { return 0 },
	"recency":          byModified,
	"sharedWithMeTime": func(a, b *item) int { return a.created.Compare(b.created) },
	"name":             byName,
	"name_natural":     byName,
	"quotaBytesUsed":   func(a, b *item) int { return cmp.Compare(a.bytes(), b.bytes()) },
	"folder":           func(a, b *item) int { return cmp.Compare(rank(a.mime != mimeFolder), rank(b.mime != mimeFolder)) },
	"starred":          func(a, b *item) int { return cmp.Compare(rank(!a.starred), rank(!b.starred)) },
}

func byModified(a, b *item) int { return a.modified.Compare(b.modified) }

func byName(a, b *item) int { return cmp.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) }

func rank(later bool) int {
	if later {
		return 1
	}
	return 0
}

func (i *item) bytes() int64 {
	if h := i.head(); h != nil {
		return h.size
	}
	return 0
}

func (k sortKey) compare(a, b *item) int {
	c := sortKeys[k.name](a, b)
	if k.descending {
		return -c
	}
	return c
}

func parseOrder(text string, q *query) ([]sortKey, error) {
	if text == "" {
		return nil, nil
	}
	if q.fullText {
		return nil, &Error{
			Status: http.StatusForbidden, Reason: "forbidden", Location: "orderBy", LocationType: "parameter",
			Message: "Sorting is not supported for queries with fullText terms. Results are always in descending relevance order.",
		}
	}
	var out []sortKey
	for _, part := range strings.Split(text, ",") {
		words := strings.Fields(part)
		if len(words) == 0 || len(words) > 2 || sortKeys[words[0]] == nil || len(words) == 2 && words[1] != "desc" {
			return nil, badParameter("orderBy", "invalid", "Invalid Value")
		}
		out = append(out, sortKey{words[0], len(words) == 2})
	}
	return out, nil
}
