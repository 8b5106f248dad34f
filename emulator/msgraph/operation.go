package msgraph

import "strings"

// Operation names what a request asks for.
type Operation string

// The operations that the emulator tells apart. Anything else is Unknown.
const (
	Token           Operation = "Token"           // POST /{tenant}/oauth2/v2.0/token
	Authorize       Operation = "Authorize"       // GET /{tenant}/oauth2/v2.0/authorize
	OpenID          Operation = "OpenID"          // GET /{tenant}/v2.0/.well-known/openid-configuration
	SearchSites     Operation = "SearchSites"     // GET /sites?search=
	GetSite         Operation = "GetSite"         // GET /sites/{site}
	ListDrives      Operation = "ListDrives"      // GET /sites/{site}/drives, /users/{user}/drives, /me/drives
	GetDrive        Operation = "GetDrive"        // GET /drives/{drive}, /sites/{site}/drive, /users/{user}/drive, /me/drive
	GetItem         Operation = "GetItem"         // GET …/items/{item}, …/root, …/root:/{path}
	ListChildren    Operation = "ListChildren"    // GET {item}/children
	Delta           Operation = "Delta"           // GET {item}/delta
	GetContent      Operation = "GetContent"      // GET {item}/content
	ListPermissions Operation = "ListPermissions" // GET {item}/permissions
	Download        Operation = "Download"        // GET of a pre-authenticated URL
	Unknown         Operation = "Unknown"
)

// login says whether the operation belongs to the identity platform.
func (o Operation) login() bool { return o == Token || o == Authorize || o == OpenID }

// address is what the path of a request names, as written.
type address struct {
	op     Operation
	tenant string // of the identity platform

	host, sitePath, site string // a site by path or by id
	user                 string // whose drive; "me" is the caller
	drive                string // by id; empty is the default one of site or user
	item                 string // by id, or root
	path                 []string
	token                string // of a delta, written as a function's argument
	ticket               string // of a download
}

// parsePath reads the decoded path of a request. As no name holds a slash or a
// colon, it does not matter whether clients encode those that structure a path;
// Microsoft's SDKs do.
func parsePath(path string) address {
	var parts []string
	for name := range strings.SplitSeq(path, "/") {
		if name != "" {
			parts = append(parts, name)
		}
	}
	p := &parser{parts}
	switch {
	case len(parts) == 4 && parts[1] == "oauth2" && parts[2] == "v2.0" && parts[3] == "token":
		return address{op: Token, tenant: parts[0]}
	case len(parts) == 4 && parts[1] == "oauth2" && parts[2] == "v2.0" && parts[3] == "authorize":
		return address{op: Authorize, tenant: parts[0]}
	case len(parts) == 4 && parts[1] == "v2.0" && parts[2] == ".well-known":
		return address{op: OpenID, tenant: parts[0]}
	case len(parts) == 3 && parts[0] == "_layouts" && parts[1] == "download":
		return address{op: Download, ticket: parts[2]}
	case p.take("v1.0") || p.take("beta"):
		a := address{op: Unknown}
		p.resource(&a)
		return a
	}
	return address{op: Unknown}
}

// parser takes a path apart from its beginning.
type parser struct{ rest []string }

func (p *parser) next() string {
	if len(p.rest) == 0 {
		return ""
	}
	first := p.rest[0]
	p.rest = p.rest[1:]
	return first
}

// take drops a word if it is the next one. From word('key'), as OData may write
// it, the key stays.
func (p *parser) take(word string) bool {
	if len(p.rest) == 0 {
		return false
	}
	if strings.EqualFold(p.rest[0], word) {
		p.rest = p.rest[1:]
		return true
	}
	name, key, ok := strings.Cut(p.rest[0], "('")
	if ok = ok && strings.EqualFold(name, word) && strings.HasSuffix(key, "')"); ok {
		p.rest = append([]string{strings.TrimSuffix(key, "')")}, p.rest[1:]...)
	}
	return ok
}

func (p *parser) resource(a *address) {
	switch {
	case p.take("sites"):
		p.site(a)
	case p.take("users"):
		a.user = p.next()
		p.ofOwner(a)
	case p.take("me"):
		a.user = "me"
		p.ofOwner(a)
	case p.take("drives"):
		if a.drive = p.next(); a.drive != "" {
			p.inDrive(a)
		}
	}
}

// site reads host:/path:, host:, root or an id.
func (p *parser) site(a *address) {
	name := p.next()
	if name == "" {
		a.op = SearchSites
		return
	}
	host, colon := strings.CutSuffix(name, ":")
	if colon || strings.Contains(name, ".") && !strings.Contains(name, ",") {
		a.host = host
		if colon {
			a.sitePath = strings.Join(p.colonPath(), "/")
		}
	} else {
		a.site = name
	}
	if len(p.rest) == 0 {
		a.op = GetSite
		return
	}
	p.ofOwner(a)
}

// colonPath takes the names up to one that ends with a colon, or to the end.
func (p *parser) colonPath() []string {
	var path []string
	for len(p.rest) > 0 {
		name, last := strings.CutSuffix(p.next(), ":")
		if name != "" {
			path = append(path, name)
		}
		if last {
			break
		}
	}
	return path
}

// ofOwner reads what follows a site or a user.
func (p *parser) ofOwner(a *address) {
	switch {
	case p.take("drives"):
		if a.drive = p.next(); a.drive == "" {
			a.op = ListDrives
			return
		}
		p.inDrive(a)
	case p.take("drive"):
		p.inDrive(a)
	}
}

// inDrive reads what follows a drive.
func (p *parser) inDrive(a *address) {
	if len(p.rest) == 0 {
		a.op = GetDrive
		return
	}
	items := p.take("items")
	name := p.next()
	if !items && !strings.EqualFold(strings.TrimSuffix(name, ":"), "root") {
		return
	}
	var colon bool
	if a.item, colon = strings.CutSuffix(name, ":"); colon {
		a.path = p.colonPath()
	}
	p.onItem(a)
}

// onItem reads what is asked of an item.
func (p *parser) onItem(a *address) {
	last := strings.TrimPrefix(p.next(), "microsoft.graph.")
	if len(p.rest) > 0 || a.item == "" {
		return
	}
	if token, ok := strings.CutPrefix(last, "delta("); ok {
		token = strings.TrimSuffix(token, ")")
		a.token = strings.Trim(strings.TrimPrefix(token, "token="), "'")
		last = "delta"
	}
	switch last {
	case "":
		a.op = GetItem
	case "children":
		a.op = ListChildren
	case "delta":
		a.op = Delta
	case "content":
		a.op = GetContent
	case "permissions":
		a.op = ListPermissions
	}
}
