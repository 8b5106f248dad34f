package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/youmark/pkcs8"

	"mooring/emulator/gdrive"
	"mooring/emulator/msgraph"
	"mooring/emulator/snowflake"
)

// cloud is an account at an emulated provider, and how to connect to it.
type cloud struct {
	*tap
	t         *testing.T
	provider  string
	endpoints map[string]string // what --provider-endpoint replaces
	config    object            // provider_config
	path      string            // source_path
	wrong     []refusal
	harmless  object            // of provider_config: may change while secrets are kept
	relists   bool              // whether the next run begins anew after that
	feed      bool              // whether a run sees only what has changed
	held      map[string]string // contents by source path
	put       func(name, content string)
	remove    func(name string)
	object    func(name, content string) (path, text string) // of what stands at the source
	expire    func()                                         // all access tokens
	consent   func() string                                  // to the application: a new refresh token
}

// refusal is a credential that the provider refuses and what the user is told.
type refusal struct {
	edit   object // of the credentials
	advice string
}

// clouds are all kinds of credentials.
var clouds = map[string]func(*testing.T) *cloud{
	"google_drive service_account":              func(t *testing.T) *cloud { return newDrive(t, gdrive.Options{}).asItself() },
	"google_drive service_account impersonates": func(t *testing.T) *cloud { return newDrive(t, gdrive.Options{}).impersonating() },
	"google_drive oauth":                        func(t *testing.T) *cloud { return newDrive(t, strictDrive).consented() },
	"sharepoint client_credentials":             func(t *testing.T) *cloud { return newGraph(t).asItself() },
	"sharepoint delegated":                      func(t *testing.T) *cloud { return newGraph(t).consented() },
	"snowflake key_pair":                        func(t *testing.T) *cloud { return newSnowflake(t).keyPair("") },
	"snowflake key_pair encrypted":              func(t *testing.T) *cloud { return newSnowflake(t).keyPair(secretOf("passphrase")) },
	"snowflake username_password":               func(t *testing.T) *cloud { return newSnowflake(t).password() },
}

// flags lead a server to the cloud.
func (c *cloud) flags() (out []string) {
	for name, url := range c.endpoints {
		out = append(out, "--provider-endpoint", c.provider+"."+name+"="+url)
	}
	return out
}

// add puts a file or row at the source and into what is expected of it.
func (c *cloud) add(name, content string) {
	c.put(name, content)
	path, content := c.object(name, content)
	c.held[path] = content
}

func (c *cloud) take(name string) {
	c.remove(name)
	path, _ := c.object(name, "")
	delete(c.held, path)
}

// request is a body that makes a connection, with its credentials changed.
func (c *cloud) request(name string, edit object) object {
	config := maps.Clone(c.config)
	credentials, _ := config["credentials"].(object)
	credentials = maps.Clone(credentials)
	maps.Copy(credentials, edit)
	config["credentials"] = credentials
	return object{"name": name, "provider_type": c.provider, "provider_config": config}
}

var sensitive = []string{"private_key", "private_key_passphrase", "client_secret", "refresh_token", "password"}

// secrets are the values of sensitive fields.
func (c *cloud) secrets() map[string]string {
	out := map[string]string{}
	credentials, _ := c.config["credentials"].(object)
	for _, all := range append([]object{credentials}, edits(c.wrong)...) {
		for _, field := range sensitive {
			if v, _ := all[field].(string); v != "" {
				out[v] = field
			}
		}
	}
	return out
}

func edits(all []refusal) (out []object) {
	for _, r := range all {
		out = append(out, r.edit)
	}
	return out
}

// newKey is an RSA key in PEM, encrypted if there is a passphrase.
func newKey(t *testing.T, passphrase string) (*rsa.PrivateKey, string) {
	t.Helper()
	key := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	if passphrase == "" {
		der := must(x509.MarshalPKCS8PrivateKey(key))(t)
		return key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	der := must(pkcs8.MarshalPrivateKey(key, []byte(passphrase), nil))(t)
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}))
}

const (
	captain    = "captain@example.com"
	robot      = "robot@ship.iam.gserviceaccount.com"
	clientID   = "11111111-2222-3333-4444-555555555555"
	tenant     = "contoso.onmicrosoft.com"
	account    = "ORG-ACCT"
	shipFolder = "Ship"
	itemsTable = "DB.PUBLIC.ITEMS"
)

// drive is the My Drive of the captain.
type drive struct {
	*cloud
	*gdrive.Server
	folder string
}

var strictDrive = gdrive.Options{RotateRefreshTokens: true, RefuseReused: true}

func newDrive(t *testing.T, o gdrive.Options) *drive {
	t.Helper()
	d := &drive{cloud: newCloud(t, "google_drive"), Server: gdrive.New(o)}
	d.serve(t, d.Server)
	t.Cleanup(func() { _ = d.Server.Close() })
	d.Server.URL = d.tap.URL
	d.endpoints = map[string]string{"api": d.API(), "token": d.TokenURL()}
	d.folder = d.Folder(d.User(captain), shipFolder)
	d.feed, d.expire = true, d.ExpireAccessTokens
	d.harmless, d.relists = object{"export_formats": []string{"document=pdf"}}, true
	ids := map[string]string{}
	d.put = func(name, content string) {
		if id := ids[name]; id != "" {
			d.Write(id, []byte(content))
		} else {
			ids[name] = d.File(d.folder, name, []byte(content))
		}
	}
	d.remove = func(name string) { d.Trash(ids[name]); delete(ids, name) }
	return d
}

func newCloud(t *testing.T, provider string) *cloud {
	t.Helper()
	same := func(name, content string) (string, string) { return name, content }
	return &cloud{tap: newTap(t), t: t, provider: provider, held: map[string]string{}, object: same}
}

func (d *drive) account(path string, delegates ...string) *cloud {
	d.t.Helper()
	var key object
	if err := json.Unmarshal(d.ServiceAccount(robot, delegates...), &key); err != nil {
		d.t.Fatal(err)
	}
	_, other := newKey(d.t, "")
	d.path, d.config = path, object{"credentials": key}
	d.wrong = []refusal{{object{"private_key": other}, "check that credentials come from one key file"}}
	return d.cloud
}

func (d *drive) asItself() *cloud {
	d.Share(d.folder, robot)
	return d.account(d.folder)
}

func (d *drive) impersonating() *cloud {
	c := d.account("/"+shipFolder, captain)
	c.config["impersonate_user"] = captain
	return c
}

func (d *drive) consented() *cloud {
	secret := secretOf("client_secret")
	d.OAuthClient(clientID, secret)
	d.path, d.consent = "/"+shipFolder, func() string { return d.Consent(clientID, captain) }
	d.config = object{"credentials": object{"type": "oauth", "client_id": clientID, "client_secret": secret, "refresh_token": d.consent()}}
	d.wrong = []refusal{
		{object{"client_secret": secretOf("wrong")}, "check credentials.client_id and credentials.client_secret"},
		{object{"refresh_token": secretOf("wrong")}, "authorize again"},
	}
	return d.cloud
}

// graph is a site with a library, and the captain's OneDrive.
type graph struct {
	*cloud
	*msgraph.Server
}

func newGraph(t *testing.T) *graph {
	t.Helper()
	o := msgraph.Documented()
	o.RefuseReused = true
	g := &graph{cloud: newCloud(t, "sharepoint"), Server: msgraph.New(o)}
	g.serve(t, g.Server)
	t.Cleanup(g.Server.Close)
	g.Server.URL = g.tap.URL
	g.endpoints = map[string]string{"api": g.API(), "token": g.LoginURL()}
	g.Tenant(tenant)
	g.feed, g.expire, g.path = true, g.ExpireAccessTokens, "/"+shipFolder
	g.harmless = object{"folder_path": "/" + shipFolder}
	return g
}

// library says where files are.
func (g *graph) library(drive string) {
	folder, ids := g.Folder(drive, g.Root(drive), shipFolder), map[string]string{}
	g.put = func(name, content string) {
		if id := ids[name]; id != "" {
			g.Write(drive, id, []byte(content))
		} else {
			ids[name] = g.File(drive, folder, name, []byte(content))
		}
	}
	g.remove = func(name string) { g.Delete(drive, ids[name]); delete(ids, name) }
}

func (g *graph) asItself() *cloud {
	secret := secretOf("client_secret")
	g.App(tenant, clientID, secret)
	g.library(g.Drive(g.Site(tenant, "contoso.sharepoint.com", "/sites/Harbour")))
	g.config = object{"site_id": "https://contoso.sharepoint.com/sites/Harbour", "credentials": object{
		"type": "client_credentials", "tenant_id": tenant, "client_id": clientID, "client_secret": secret,
	}}
	g.wrong = []refusal{{object{"client_secret": secretOf("wrong")}, "give the secret's value, not its id"}}
	return g.cloud
}

func (g *graph) consented() *cloud {
	secret := secretOf("client_secret")
	g.App(tenant, clientID, secret)
	g.library(g.User(tenant, captain))
	g.consent = func() string { return g.Consent(tenant, clientID, captain) }
	g.config = object{"credentials": object{
		"type": "delegated", "tenant_id": tenant, "client_id": clientID, "client_secret": secret, "refresh_token": g.consent(),
	}}
	g.wrong = []refusal{
		{object{"client_secret": secretOf("wrong")}, "give the secret's value, not its id"},
		{object{"refresh_token": secretOf("wrong")}, "check that they are complete"},
	}
	return g.cloud
}

// table is one of Snowflake's.
type table struct {
	*cloud
	*snowflake.Server
}

func newSnowflake(t *testing.T) *table {
	t.Helper()
	s := &table{cloud: newCloud(t, "snowflake"), Server: snowflake.Start(t, snowflake.Options{Account: account})}
	s.serve(t, s.Server)
	s.endpoints = map[string]string{"api": s.tap.URL}
	s.Warehouse("WH")
	rows := s.Table(itemsTable, []snowflake.Column{{Name: "ID", Type: snowflake.Varchar}, {Name: "V", Type: snowflake.Varchar}})
	s.path, s.harmless, s.expire = itemsTable, object{"query_timeout_seconds": 60}, func() {}
	s.config = object{"account": account, "warehouse": "WH", "primary_key_columns": []string{"ID"}}
	is := func(name string) func(snowflake.Record) bool {
		return func(r snowflake.Record) bool { return r["ID"] == name }
	}
	s.put = func(name, content string) {
		if rows.Update(is(name), map[string]any{"V": content}) == 0 {
			rows.Insert(snowflake.Row{name, content})
		}
	}
	s.remove = func(name string) { rows.Delete(is(name)) }
	s.object = func(name, content string) (string, string) {
		return strings.ReplaceAll(name, "%", "%25") + ".json", fmt.Sprintf("{\"ID\":%q,\"V\":%q}", name, content)
	}
	return s
}

func (s *table) keyPair(passphrase string) *cloud {
	key, text := newKey(s.t, passphrase)
	_, other := newKey(s.t, "")
	s.Key("sync", &key.PublicKey, 1)
	credentials := object{"type": "key_pair", "username": "sync", "private_key": text}
	s.wrong = []refusal{{object{"private_key": other}, "RSA_PUBLIC_KEY"}}
	if passphrase != "" {
		credentials["private_key_passphrase"] = passphrase
		s.wrong = []refusal{{object{"private_key_passphrase": secretOf("wrong")}, "passphrase is not the right one"}}
	}
	s.config["credentials"] = credentials
	return s.cloud
}

func (s *table) password() *cloud {
	password := secretOf("password")
	s.User("sync", password)
	s.config["credentials"] = object{"type": "username_password", "username": "sync", "password": password}
	s.wrong = []refusal{{object{"password": secretOf("wrong")}, "the user name or password is wrong"}}
	return s.cloud
}
