package config

import (
	"reflect"
	"slices"
	"strings"

	"mooring/internal/errs"
)

// Merged says what a new configuration makes of the stored one.
type Merged struct {
	Keep  []string // secrets whose stored value is kept: the marker was sent
	Fresh []string // secrets that were sent
	// Compare are those of Fresh that are stored too and sealed for the same
	// use: they are a change only if their values differ, which only who can
	// open the stored ones can tell.
	Compare []string
	// Changed: the public part, the kind, or which secrets there are differs.
	// With Compare all equal and Changed false, nothing is replaced.
	Changed bool
}

// Merge holds a decoded configuration against the stored one, which is zero
// when there is none. A marker keeps a stored secret only while the kind of
// credentials and everything that decides where and as whom it is used stay
// the same; else, and where nothing is stored, it is noted in at, the
// gathering of provider_config. The error carries all that at has gathered.
func Merge(old Sealed, c Config, at errs.Fields) (Merged, error) {
	const op = "config.merge"
	at = at.At(credentialsKey)
	sameKind := old.Provider == c.Provider && old.Credential == c.Credential
	moved := changedUse(old, c)
	var m Merged
	for _, name := range sortedKeys(c.Secrets) {
		_, stored := old.Secrets[name]
		switch {
		case !c.Secrets[name].IsMarker():
			m.Fresh = append(m.Fresh, name)
			if stored && sameKind && len(moved) == 0 {
				m.Compare = append(m.Compare, name)
			}
		case old.Provider == "" || sameKind && !stored:
			at.Add("value_error", "the marker stands for a stored secret, and none is stored: give the secret itself", name)
		case !sameKind:
			at.Add("value_error", "can't be kept, since credentials.type has changed: give the secret itself", name)
		case len(moved) > 0:
			at.Add("value_error", "can't be kept, since "+strings.Join(moved, ", ")+" has changed, "+
				"which decides where or as whom it is used: give the secret itself", name)
		default:
			m.Keep = append(m.Keep, name)
		}
	}
	m.Changed = !sameKind || !reflect.DeepEqual(nonNil(old.Fields), nonNil(c.Fields)) ||
		!reflect.DeepEqual(nonNil(old.Credentials), nonNil(c.Credentials)) ||
		!slices.Equal(sortedKeys(old.Secrets), sortedKeys(c.Secrets))
	return m, at.Err(op)
}

func nonNil(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
