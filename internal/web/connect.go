package web

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mooring/internal/access"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/oauth"
	"mooring/internal/secret"
	"mooring/internal/surface"
)

const newPath = "/new-connection"

func connectPages() []page {
	return []page{
		{"GET " + newPath, access.Admin, (*visit).chooseProvider},
		{"GET " + newPath + "/{provider}", access.Admin, (*visit).connectForm},
		{"POST " + newPath + "/{provider}", access.Admin, (*visit).connect},
		{"POST " + newPath + "/{provider}/consent", access.Admin, (*visit).askConsent},
		{"GET " + connectionPath + "/edit", access.Write, (*visit).editForm},
		{"POST " + connectionPath + "/edit", access.Write, (*visit).edit},
	}
}

// offered are the providers that can be connected here.
func (v *visit) offered() (out []config.Spec) {
	for _, s := range config.Specs() {
		if v.Providers == nil || slices.Contains(v.Providers, s.Provider) {
			out = append(out, s)
		}
	}
	return out
}

func (v *visit) chooseProvider() error {
	if err := v.reach().Covers(access.OfConnection(v.org(), "")); err != nil {
		return err
	}
	return v.show(http.StatusOK, "choose.html", frame{Title: "New connection", Section: "connections", Data: v.offered()})
}

// connectData is the form of a new connection, or of one to be changed.
type connectData struct {
	Spec     config.Spec
	Kind     config.Credential
	Tabs     []choice // the kinds of credentials; Value is the address
	Action   string
	Basics   []field
	Settings []field
	Secrets  []field // the credentials
	Paste    []field // what fills several of them at once; at most one
	Watch    []field
	Back     string
	Editing  bool
	External string   // the external id that a role's trust policy must name
	Consent  []string // the operator's OAuth clients
}

func (v *visit) spec() (config.Spec, error) {
	i := slices.IndexFunc(v.offered(), func(s config.Spec) bool { return s.Provider == v.path("provider") })
	if i < 0 {
		return config.Spec{}, surface.Missing("provider", v.path("provider"))
	}
	return v.offered()[i], nil
}

// kindOf is the kind of credentials that was chosen, else the first.
func kindOf(s config.Spec, typ string) config.Credential {
	if k, ok := s.Kind(typ); ok {
		return k
	}
	return s.Credentials[0]
}

func (v *visit) connectForm() error {
	d, err := v.newForm(v.r.URL.Query().Get("kind"))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "connect.html", frame{Title: "Connect " + d.Spec.Title, Section: "connections", Data: d})
}

func (v *visit) newForm(kind string) (connectData, error) {
	if err := v.reach().Covers(access.OfConnection(v.org(), "")); err != nil {
		return connectData{}, err
	}
	s, err := v.spec()
	if err != nil {
		return connectData{}, err
	}
	d := connectData{Spec: s, Kind: kindOf(s, kind), Action: newPath + "/" + s.Provider, Back: newPath}
	for _, k := range s.Credentials {
		d.Tabs = append(d.Tabs, choice{Value: d.Action + "?kind=" + k.Type, Label: labelOf(k.Type), On: k.Type == d.Kind.Type})
	}
	d.Basics = basics("", nil)
	d.Settings, d.Secrets = configFields(s, d.Kind, config.Sealed{})
	d.Paste, d.Watch = pasteField(s.Provider, d.Kind.Type), watchFields(connection.Connection{})
	if d.Kind.Type == "iam_role" {
		d.External = connectionservice.ExternalIDFor(v.org())
	}
	if v.OAuth != nil {
		d.Consent = v.OAuth.ClientNames(s.Provider)
	}
	return d, nil
}

func basics(name string, description *string) []field {
	f := []field{
		{Name: "name", Label: "Name", Kind: "text", Value: name, Help: "How people and programs call it. Unique among connections that are not archived."},
		{Name: "description", Label: "Description", Kind: "text", Optional: true},
	}
	if description != nil {
		f[1].Value = *description
	}
	return f
}

func watchFields(c connection.Connection) []field {
	f := []field{
		{Name: "check_interval_seconds", Label: "Seconds between checks", Kind: "number", Optional: true, Help: "60 to 86400, while all is well. Empty: the server's own pace."},
		{Name: "credentials_expire_at", Label: "Credentials expire on", Kind: "date", Optional: true, Help: "Where you know: you are told a week before."},
	}
	if c.CheckInterval != nil {
		f[0].Value = strconv.FormatInt(*c.CheckInterval, 10)
	}
	if c.CredentialsExpireAt != nil {
		f[1].Value = c.CredentialsExpireAt.Format("2006-01-02")
	}
	return f
}

// configFields make a form of the table of a provider's configuration, with what
// is stored but secrets.
func configFields(s config.Spec, k config.Credential, stored config.Sealed) (settings, credentials []field) {
	for _, f := range s.Fields {
		if f.Kind == "" || f.Kind == k.Type {
			settings = append(settings, configField(f, f.Name, s.Provider, stored.Fields, stored))
		}
	}
	for _, f := range k.Fields {
		if f.Name == config.ClientField { // comes by consent
			continue
		}
		credentials = append(credentials, configField(f, "credentials."+f.Name, s.Provider, stored.Credentials, stored))
	}
	return settings, credentials
}

func configField(f config.Field, name, provider string, values map[string]any, stored config.Sealed) field {
	out := field{Name: name, Label: labelOf(f.Name), Help: f.Description, Kind: "text", Secret: f.Secret, Optional: !f.Required}
	if where, ok := whereToFind[provider+"."+f.Name]; ok {
		out.Help = strings.TrimSuffix(out.Help, ".") + ". " + where
	}
	x := values[f.Name]
	if stored.Provider == "" {
		x = f.Default
	}
	switch {
	case f.Secret && strings.Contains(f.Name, "private_key") && !strings.Contains(f.Name, "passphrase"):
		out.Kind, out.Rows, out.Drop = "textarea", 6, "a key file"
	case f.Secret:
		out.Kind = "password"
	case f.Type == config.Boolean:
		out.Kind = "checkbox"
		out.On, _ = x.(bool)
	case f.Type == config.Integer:
		out.Kind = "number"
	case f.Type == config.Strings:
		out.Help += " Separate several by commas."
	}
	if _, kept := stored.Secrets[f.Name]; f.Secret && kept {
		out.Help += " One is stored: leave this empty to keep it."
		out.Optional = true
	}
	if !f.Secret && x != nil && out.Kind != "checkbox" {
		out.Value = plainText(x)
	}
	return out
}

// providerConfig makes a provider_config of a form, in the form of the API.
// Empty fields are left out; a stored secret that was left empty is kept.
func providerConfig(s config.Spec, k config.Credential, form url.Values, stored config.Sealed) map[string]any {
	doc, creds := map[string]any{}, map[string]any{"type": k.Type}
	read := func(f config.Field, name string, into map[string]any) {
		given := strings.TrimSpace(form.Get(name))
		switch {
		case f.Type == config.Boolean:
			into[f.Name] = given != ""
		case given == "" && f.Secret:
			if _, kept := stored.Secrets[f.Name]; kept {
				into[f.Name] = secret.Marker
			}
		case given == "":
		case f.Type == config.Integer:
			if n, err := strconv.ParseFloat(given, 64); err == nil {
				into[f.Name] = n
			} else {
				into[f.Name] = given // which is then refused, by name
			}
		case f.Type == config.Strings:
			var list []any
			for part := range strings.SplitSeq(given, ",") {
				if part = strings.TrimSpace(part); part != "" {
					list = append(list, part)
				}
			}
			into[f.Name] = list
		default:
			into[f.Name] = given
		}
	}
	for _, f := range s.Fields {
		if f.Kind == "" || f.Kind == k.Type {
			read(f, f.Name, doc)
		}
	}
	for _, f := range k.Fields {
		if f.Name == config.ClientField {
			if x, ok := stored.Credentials[f.Name]; ok {
				creds[f.Name] = x
			}
			continue
		}
		read(f, "credentials."+f.Name, creds)
	}
	doc["credentials"] = creds
	return doc
}

// connect tests and saves a new connection.
func (v *visit) connect() error {
	form, err := v.form()
	if err != nil {
		return err
	}
	d, err := v.newForm(form.Get("kind"))
	if err != nil {
		return err
	}
	again := func(err error) error {
		p := v.problem(err)
		for _, list := range [][]field{d.Basics, d.Settings, d.Secrets, d.Paste, d.Watch} {
			filled(list, form, p)
		}
		return v.again(err, "connect.html", frame{Title: "Connect " + d.Spec.Title, Section: "connections", Data: d})
	}
	doc := providerConfig(d.Spec, d.Kind, form, config.Sealed{})
	at := errs.NewFields("body")
	paste(d.Spec.Provider, d.Kind, form.Get("paste"), doc, at)
	interval, expires := watchOf(form, at)
	if err := at.Err("web.connect"); err != nil {
		return again(err)
	}
	made, err := v.Connections.Create(v.ctx(), v.org(), v.actor, connectionservice.CreateRequest{
		Name: form.Get("name"), Description: orNil(form.Get("description")), Provider: d.Spec.Provider, ProviderConfig: doc, User: v.user(),
		CheckInterval: interval, CredentialsExpireAt: expires,
	})
	if err != nil {
		return again(err)
	}
	return v.done(connectionURL(made), "created")
}

func orNil(s string) *string {
	if s = strings.TrimSpace(s); s == "" {
		return nil
	}
	return &s
}

// askConsent makes a link by which a user consents at the provider, and follows it.
func (v *visit) askConsent() error {
	form, err := v.form()
	if err != nil {
		return err
	}
	d, err := v.newForm(form.Get("kind"))
	if err != nil {
		return err
	}
	if v.OAuth == nil {
		return errs.New(errs.NotFound, "web.consent", "this server makes no connections by consent")
	}
	fields := providerConfig(d.Spec, d.Kind, form, config.Sealed{})
	maps.DeleteFunc(fields, func(name string, _ any) bool { return name == "credentials" })
	link, err := v.OAuth.Authorize(v.ctx(), v.org(), v.actor, oauth.Request{
		Provider: d.Spec.Provider, Client: form.Get("client"), Name: form.Get("name"), Fields: fields, User: v.user(),
	})
	if err != nil {
		p := v.problem(err)
		for _, list := range [][]field{d.Basics, d.Settings} {
			filled(list, form, p)
		}
		return v.again(err, "connect.html", frame{Title: "Connect " + d.Spec.Title, Section: "connections", Data: d})
	}
	return v.redirect(link.URL)
}

// editing is the form of a connection as it is stored.
func (v *visit) editing(kind string) (d connectData, c connection.Connection, err error) {
	if c, err = v.connection(); err != nil {
		return d, c, err
	}
	if err := connection.Alive(&c, "be changed"); err != nil {
		return d, c, err
	}
	s, ok := config.Lookup(c.Provider)
	if !ok {
		return d, c, surface.Missing("provider", c.Provider)
	}
	if kind == "" {
		kind = c.Config.Credential
	}
	stored := c.Config
	d = connectData{Spec: s, Kind: kindOf(s, kind), Action: connectionURL(c) + "/edit", Back: connectionURL(c), Editing: true}
	if d.Kind.Type != c.Config.Credential { // of another kind nothing is kept
		stored.Credentials, stored.Secrets = map[string]any{}, nil
	}
	for _, k := range s.Credentials {
		d.Tabs = append(d.Tabs, choice{Value: d.Action + "?kind=" + k.Type, Label: labelOf(k.Type), On: k.Type == d.Kind.Type})
	}
	d.Basics, d.Watch = basics(c.Name, c.Description), watchFields(c)
	d.Settings, d.Secrets = configFields(s, d.Kind, stored)
	d.Paste = pasteField(s.Provider, d.Kind.Type)
	if d.Kind.Type == "iam_role" {
		d.External = connectionservice.ExternalIDFor(v.org())
	}
	return d, c, nil
}

func (v *visit) editForm() error {
	d, c, err := v.editing(v.r.URL.Query().Get("kind"))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "connect.html", frame{Title: "Edit " + c.Name, Section: "connections", Data: d})
}

// edit changes a connection. A configuration that really differs is tested
// before anything is saved.
func (v *visit) edit() error {
	form, err := v.form()
	if err != nil {
		return err
	}
	d, c, err := v.editing(form.Get("kind"))
	if err != nil {
		return err
	}
	stored := c.Config
	if d.Kind.Type != stored.Credential {
		stored.Credentials, stored.Secrets = nil, nil
	}
	doc := providerConfig(d.Spec, d.Kind, form, stored)
	at := errs.NewFields("body")
	paste(d.Spec.Provider, d.Kind, form.Get("paste"), doc, at)
	interval, expires := watchOf(form, at)
	if err = at.Err("web.edit"); err == nil {
		_, err = v.Connections.Update(v.ctx(), v.org(), v.actor, string(c.ID), connectionservice.UpdateRequest{
			Name: new(form.Get("name")), Description: new(form.Get("description")), ProviderConfig: doc,
			CheckInterval: orZero(interval), CredentialsExpireAt: orZero(expires),
		})
	}
	if err != nil {
		p := v.problem(err)
		for _, list := range [][]field{d.Basics, d.Settings, d.Secrets, d.Paste, d.Watch} {
			filled(list, form, p)
		}
		return v.again(err, "connect.html", frame{Title: "Edit " + c.Name, Section: "connections", Data: d})
	}
	return v.done(connectionURL(c), "saved")
}

// orZero stands the zero value for what was left empty, which clears it.
func orZero[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	return p
}
