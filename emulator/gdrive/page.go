package gdrive

import (
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"net/http"
	"strconv"
)

// pageToken says where a list goes on. It is bound to what it lists for whom.
type pageToken struct {
	Bound uint64 `json:"b"`
	Next  int64  `json:"n"`
	First int64  `json:"f,omitempty"` // of a log, where its pages began
}

// bind makes a number of what a token is bound to.
func bind(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(strconv.Quote(p)))
	}
	return h.Sum64()
}

func (t pageToken) String() string {
	text, err := json.Marshal(t)
	if err != nil {
		panic(err)
	}
	return "~!!~" + base64.RawURLEncoding.EncodeToString(text)
}

// readToken reads a token that must be bound to a number.
func readToken(text string, bound uint64) (pageToken, error) {
	var t pageToken
	bad := badParameter("pageToken", "invalid", "Invalid Value")
	if len(text) < 4 || text[:4] != "~!!~" {
		return t, bad
	}
	raw, err := base64.RawURLEncoding.DecodeString(text[4:])
	if err != nil || json.Unmarshal(raw, &t) != nil || t.Bound != bound || t.Next < 0 || t.First < 0 {
		return t, bad
	}
	return t, nil
}

// driveCorpus finds the shared drive that a list is about: none without a driveId. The
// lock is held.
func (x *exchange) driveCorpus(supports, include bool) (*drive, error) {
	id := x.query.Get("driveId")
	if id == "" {
		id = x.query.Get("teamDriveId")
	}
	if id == "" {
		return nil, nil
	}
	if !supports || !include {
		return nil, includeRequired()
	}
	return x.findDrive(id)
}

func includeRequired() *Error {
	return &Error{
		Status: http.StatusForbidden, Reason: "teamDrivesIncludeRequired",
		Message: "The includeItemsFromAllDrives parameter must be set to true when driveId is specified or corpora contains drive or allDrives.",
	}
}

// findDrive finds a shared drive that the user is a member of. The lock is held.
func (x *exchange) findDrive(id string) (*drive, error) {
	if i := x.s.tree.items[id]; i != nil && i.home.drive != nil && i.seenBy(x.user) {
		return i.home.drive, nil
	}
	return nil, &Error{
		Status: http.StatusNotFound, Reason: "notFound", Message: "Shared drive not found: " + id,
		Location: "driveId", LocationType: "parameter",
	}
}

// checkSpaces refuses spaces other than that of the user's files.
func (x *exchange) checkSpaces() error {
	switch x.query.Get("spaces") {
	case "", "drive":
		return nil
	case "appDataFolder", "drive,appDataFolder", "appDataFolder,drive", "photos":
		return &Error{
			Status: http.StatusForbidden, Reason: "insufficientScopes",
			Message: "The granted scopes do not give access to all of the requested spaces.", Location: "spaces", LocationType: "parameter",
		}
	}
	return badParameter("spaces", "invalid", "Invalid Value")
}
