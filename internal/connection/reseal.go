package connection

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/connection/config"
)

// refreshField is the secret that a provider may replace at each use.
const refreshField = "refresh_token"

// Lineage names the refresh token of a stored configuration: the one that later
// ones (see Tokens) descend from. While a replacement of the configuration keeps
// it, they stay good. It is made from the sealed value, and stays what it was when
// that is sealed again. It is "" for credentials without a refresh token.
func Lineage(c *Connection) string {
	sealed, ok := c.Config.Secrets[refreshField]
	switch {
	case !ok:
		return ""
	case c.RefreshFrom != "":
		return c.RefreshFrom
	}
	sum := sha256.Sum256(sealed.Data)
	return hex.EncodeToString(sum[:16])
}

func sameRefresh(a, b config.Sealed) bool {
	return slices.Equal(a.Secrets[refreshField].Data, b.Secrets[refreshField].Data)
}

// Again gives what a sealed value was sealed to again, under another data key;
// ok is false for one that is to stay.
type Again func(sealed bson.Binary) (bson.Binary, bool)

// Reseal puts the secrets of a configuration in place as they were sealed again.
// They are the same secrets: nothing that goes on with them is disturbed.
func Reseal(c *Connection, again Again, now time.Time) {
	from := Lineage(c)
	for name, old := range c.Config.Secrets {
		next, ok := again(old)
		if !ok {
			continue
		}
		c.Config.Secrets[name], c.UpdatedAt = next, cut(now)
		if name == refreshField {
			c.RefreshFrom = from
		}
	}
}

// Reseal puts the tokens in place as they were sealed again.
func (t *Tokens) Reseal(again Again, now time.Time) {
	for _, held := range []**bson.Binary{&t.Access, &t.Refresh} {
		if *held == nil {
			continue
		}
		if next, ok := again(**held); ok {
			*held, t.UpdatedAt = &next, cut(now)
		}
	}
}
