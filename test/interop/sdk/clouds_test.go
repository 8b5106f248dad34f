//go:build interop

package sdk

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"testing"

	"mooring/emulator/gdrive"
	"mooring/emulator/msgraph"
	"mooring/emulator/snowflake"
)

type object = map[string]any

// cloud is one kind of credentials of a provider, for the script: what to connect
// with, what the provider refuses, and where the ship's papers are.
type cloud struct {
	Provider string `json:"provider"`
	Config   object `json:"config"`
	Wrong    object `json:"wrong"`  // credentials that are refused
	Advice   string `json:"advice"` // a part of what is said then
	Path     string `json:"path"`   // source_path
}

const (
	refusedSecret = "a-secret-of-nobody"

	captain   = "captain@example.com"
	clientID  = "11111111-2222-3333-4444-555555555555"
	secretKey = "the~client~secret"
	tenant    = "contoso.onmicrosoft.com"
	badClient = "check credentials.client_id and credentials.client_secret"
)

// clouds starts the emulators. It returns what the script connects to, by the kind
// of credentials, and the flags that lead the server there.
func clouds(t *testing.T) (all map[string]cloud, flags []string) {
	t.Helper()
	all = map[string]cloud{}
	endpoint := func(name, url string) { flags = append(flags, "--provider-endpoint", name+"="+url) }
	drives(t, all, endpoint)
	libraries(t, all, endpoint)
	tables(t, all, endpoint)
	return all, flags
}

func drives(t *testing.T, all map[string]cloud, endpoint func(name, url string)) {
	t.Helper()
	d := gdrive.Start(t)
	endpoint("google_drive.api", d.API())
	endpoint("google_drive.token", d.TokenURL())
	folder := d.Folder(d.User(captain), "Ship")
	log := d.File(folder, "2025-01-02 log.txt", []byte("ahoy"))
	d.SetProperties(log, map[string]string{"team": "bridge"})
	d.Star(log, true)
	d.File(d.Folder(folder, "Legal"), "ü &?.csv", []byte("odd"))
	d.OAuthClient(clientID, secretKey)
	all["oauth"] = cloud{
		Provider: "google_drive", Path: "/Ship", Wrong: object{"client_secret": refusedSecret}, Advice: badClient,
		Config: object{"credentials": object{"type": "oauth", "client_id": clientID, "client_secret": secretKey, "refresh_token": d.Consent(clientID, captain)}},
	}
	const robot = "robot@ship.iam.gserviceaccount.com"
	var key object
	if err := json.Unmarshal(d.ServiceAccount(robot), &key); err != nil {
		t.Fatal(err)
	}
	d.Share(folder, robot)
	_, other := newKey(t)
	all["service_account"] = cloud{
		Provider: "google_drive", Path: folder, Config: object{"credentials": key}, Wrong: object{"private_key": other}, Advice: "one key file",
	}
}

func libraries(t *testing.T, all map[string]cloud, endpoint func(name, url string)) {
	t.Helper()
	g := msgraph.Start(t)
	endpoint("sharepoint.api", g.API())
	endpoint("sharepoint.token", g.LoginURL())
	g.Tenant(tenant)
	g.App(tenant, clientID, secretKey)
	fill := func(drive string) {
		folder := g.Folder(drive, g.Root(drive), "Ship")
		g.File(drive, folder, "2025-01-02 log.txt", []byte("ahoy"))
		g.File(drive, g.Folder(drive, folder, "Legal"), "ü &.csv", []byte("odd"))
	}
	fill(g.Drive(g.Site(tenant, "contoso.sharepoint.com", "/sites/Harbour")))
	fill(g.User(tenant, captain))
	app := object{"type": "client_credentials", "tenant_id": tenant, "client_id": clientID, "client_secret": secretKey}
	all["client_credentials"] = cloud{
		Provider: "sharepoint", Path: "/Ship", Wrong: object{"client_secret": refusedSecret}, Advice: "not its id",
		Config: object{"site_id": "https://contoso.sharepoint.com/sites/Harbour", "credentials": app},
	}
	user := object{"type": "delegated", "tenant_id": tenant, "client_id": clientID, "client_secret": secretKey, "refresh_token": g.Consent(tenant, clientID, captain)}
	all["delegated"] = cloud{
		Provider: "sharepoint", Path: "/Ship", Wrong: object{"client_secret": refusedSecret}, Advice: "not its id",
		Config: object{"credentials": user},
	}
}

func tables(t *testing.T, all map[string]cloud, endpoint func(name, url string)) {
	t.Helper()
	s := snowflake.Start(t, snowflake.Options{Account: "ORG-ACCT"})
	endpoint("snowflake.api", s.URL())
	s.Warehouse("WH")
	key, text := newKey(t)
	_, other := newKey(t)
	s.User("SYNC", "the password")
	s.Key("SYNC", &key.PublicKey, 1)
	s.Table("SHIP.PUBLIC.LOGS", []snowflake.Column{
		{Name: "ID", Type: snowflake.Number}, {Name: "TEAM", Type: snowflake.Varchar, Nullable: true}, {Name: "FACTS", Type: snowflake.Variant, Nullable: true},
	}).Insert(snowflake.Row{1, " Bridge ", `{"pages": 3}`}, snowflake.Row{2, nil, nil})
	config := func(credentials object) object {
		return object{"account": "ORG-ACCT", "warehouse": "WH", "database": "SHIP", "schema": "PUBLIC", "primary_key_columns": []string{"ID"}, "fetch_size": 100, "credentials": credentials}
	}
	all["key_pair"] = cloud{
		Provider: "snowflake", Path: "LOGS", Wrong: object{"private_key": other}, Advice: "RSA_PUBLIC_KEY",
		Config: config(object{"type": "key_pair", "username": "SYNC", "private_key": text}),
	}
	all["username_password"] = cloud{
		Provider: "snowflake", Path: "SHIP.PUBLIC.LOGS", Wrong: object{"password": refusedSecret}, Advice: "user name or password is wrong",
		Config: config(object{"type": "username_password", "username": "SYNC", "password": "the password"}),
	}
}

// newKey is an RSA key, also in PEM.
func newKey(t *testing.T) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
