package gdrive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// cursor is a place in an enumeration or in a log of changes.
type cursor struct {
	Version int    `json:"v"`
	Bound   string `json:"b"` // what it is a place in: see bind
	Mode    string `json:"m"`
	Drive   string `json:"d,omitempty"` // whose log it is: a shared drive's, else the account's
	Start   string `json:"s,omitempty"` // of an enumeration: where the log goes on afterwards
	Page    string `json:"p,omitempty"` // Google's own token

	Files    bool     `json:"f,omitempty"` // flat: the folders are done
	Restarts int      `json:"n,omitempty"` // how often a list was begun anew
	Group    []string `json:"g,omitempty"` // walk: the folders whose children are being listed
	Met      []int    `json:"t,omitempty"` // which of them have some
	In       string   `json:"i,omitempty"` // the drive they are in, if not the scope's
	Alone    []string `json:"o,omitempty"` // folders to be listed alone, since a list of several showed nothing in them
	Queue    []string `json:"q,omitempty"` // folders to be listed
	Links    []link   `json:"l,omitempty"` // shortcuts that were followed
}

const (
	cursorVersion = 1

	modeFlat = "flat" // the drive is listed
	modeWalk = "walk" // folder by folder
	modeFeed = "feed" // changes
)

// bind ties a cursor to what it is a place in: the scope and the folder it now
// is, and whose log it is. Tokens of one log say nothing in another, and Google
// does not always refuse them. With other formats documents have other content,
// of which no log tells.
func (s *source) bind(ctx context.Context, p place, t target) (string, error) {
	who := s.grantor.subject()
	if who == "" { // of an OAuth client the root of My Drive tells the user
		var ok bool
		if who, ok = s.who.get("", s.now()); !ok {
			f, err := s.get(ctx, t, rootAlias)
			if err != nil {
				return "", err
			}
			who = f.Id
			s.who.put("", who, s.now())
		}
	}
	b, err := json.Marshal([]any{s.shared, p.path, p.root, who, s.formats})
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12]), err
}

// read decodes a cursor that was given back.
func (t target) read(cur driver.Cursor, bound string) (cursor, error) {
	var c cursor
	if err := json.Unmarshal(cur, &c); err != nil || c.Version != cursorVersion || c.Bound != bound {
		return c, t.expired()
	}
	switch c.Mode {
	case modeFlat, modeWalk:
	case modeFeed:
		if c.Page == "" {
			return c, t.expired()
		}
	default:
		return c, t.expired()
	}
	for _, i := range c.Met {
		if i < 0 || i >= len(c.Group) {
			return c, t.expired()
		}
	}
	return c, nil
}

func (t target) expired() error {
	return t.failure(errs.CursorExpired, "", "the cursor is not one of this scope as it is now: it has to be listed anew")
}

func (c *cursor) encode() driver.Cursor {
	c.Version = cursorVersion
	b, _ := json.Marshal(c) // strings and numbers: it can't fail
	return b
}
