package syncing

import (
	"strings"
	"time"
)

// FilterItem is what filters see of an item.
type FilterItem struct {
	Name       string    // the bare name
	Rel        string    // the path below the sync's source_path, without a leading slash
	Size       int64     // -1: unknown
	ModifiedAt time.Time // zero: unknown
	MIME       string    // "": unknown, and then guessed by the name's extension
}

// Match reports whether an item passes every rule that is set, and otherwise
// the name of the first rule that it fails, as it is counted in a ledger: the
// rule's name in the contract.
//
// What a rule asks about and nobody knows doesn't fail it: an item of unknown
// size passes size rules, one without modification time passes time rules, so
// that nothing is left out on a guess. Only mime_types admits nothing unknown,
// since it is a list of what is wanted. Modification times are a half-open
// window: from modified_after on, up to but without modified_before, so that
// adjacent windows share no item.
func (f *Filters) Match(i FilterItem) (ok bool, rule string) {
	switch {
	case f == nil:
		return true, ""
	case len(f.Include) > 0 && !matchAny(f.Include, i):
		return false, "include_patterns"
	case matchAny(f.Exclude, i):
		return false, "exclude_patterns"
	case len(f.Extensions) > 0 && !hasExtension(f.Extensions, i.Name):
		return false, "extensions"
	case f.MinSize != nil && i.Size >= 0 && i.Size < *f.MinSize:
		return false, "min_size_bytes"
	case f.MaxSize != nil && i.Size >= 0 && i.Size > *f.MaxSize:
		return false, "max_size_bytes"
	case f.ModifiedAfter != nil && !i.ModifiedAt.IsZero() && i.ModifiedAt.Before(*f.ModifiedAfter):
		return false, "modified_after"
	case f.ModifiedBefore != nil && !i.ModifiedAt.IsZero() && !i.ModifiedAt.Before(*f.ModifiedBefore):
		return false, "modified_before"
	case len(f.MIMETypes) > 0 && !hasMIME(f.MIMETypes, mimeOf(i.MIME, i.Name)):
		return false, "mime_types"
	}
	return true, ""
}

// matchAny tries each pattern on the bare name and on the path. A pattern that
// begins with a slash is meant for the path alone.
func matchAny(patterns []string, i FilterItem) bool {
	for _, p := range patterns {
		if anchored, ok := strings.CutPrefix(p, "/"); ok {
			if matchGlob(anchored, i.Rel) {
				return true
			}
			continue
		}
		if matchGlob(p, i.Name) || matchGlob(p, i.Rel) {
			return true
		}
	}
	return false
}

func hasExtension(extensions []string, name string) bool {
	name = strings.ToLower(name)
	for _, e := range extensions {
		if strings.HasSuffix(name, "."+strings.TrimPrefix(strings.ToLower(e), ".")) {
			return true
		}
	}
	return false
}

func hasMIME(patterns []string, mime string) bool {
	for _, p := range patterns {
		p = baseMIME(p)
		if kind, ok := strings.CutSuffix(p, "*"); ok {
			if kind = strings.TrimPrefix(kind, "*"); mime != "" && (kind == "/" || strings.HasPrefix(mime, kind)) {
				return true
			}
		} else if p == mime && mime != "" {
			return true
		}
	}
	return false
}
