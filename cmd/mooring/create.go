package main

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mooring/internal/client"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
)

// createConnectionCommand connects a storage. What neither flags nor a file say
// is asked for where a person can answer, secrets unseen. No secret is ever taken
// from the command line, where other users of the machine could read it.
func createConnectionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "create [NAME]", Args: cobra.MaximumNArgs(1),
		Short: "Connect a storage; what is missing is asked for, or read from a file or standard input",
		Long: "Connect a storage. Its configuration comes from --provider-config-file; what is missing there is asked for at a terminal,\n" +
			"secrets without showing them. Where nobody can be asked, the whole configuration is read from standard input.",
		Example: "  mooring connection create\n" +
			"  mooring connection create archive --provider s3 --provider-config-file archive.json   # without the secret: it is asked for\n" +
			"  vault read -format=json … | mooring connection create archive --provider s3",
	}
	f := cmd.Flags()
	f.String("provider", "", "google_drive, s3, tigris, sharepoint or snowflake")
	configFlag(cmd, "")
	f.String("description", "", "free text")
	f.String("from", "", "JSON `file` with further fields of the request, as in the API")
	watchFlags(cmd)
	f.Bool("test", true, "try the connection first and keep nothing if it fails")
	_ = cmd.RegisterFlagCompletionFunc("provider", cobra.FixedCompletions(providers(), cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := connect(cmd)
		if err != nil {
			return err
		}
		body, err := createBody(cmd, args)
		if err != nil {
			return err
		}
		create := func() (client.Object, error) {
			return c.Do(cmd.Context(), http.MethodPost, client.Path("v1", "organizations", "connections"), nil, body)
		}
		who, ok := person(cmd)
		if file, _ := cmd.Flags().GetString("provider-config-file"); file == "-" {
			ok = false // standard input is the configuration
		}
		var made client.Object
		if ok {
			made, err = askUntilMade(who, body, create)
		} else if err = answered(cmd, body); err == nil {
			made, err = create()
		}
		if err != nil {
			return err
		}
		return show(cmd, made, connectionColumns)
	}
	return cmd
}

// createBody is what flags and files say.
func createBody(cmd *cobra.Command, args []string) (client.Object, error) {
	k := call{body: func(c *cobra.Command, args []string) (any, error) {
		body := given(c, map[string]string{"provider": "provider_type", "description": "description", "test": "test_before_save",
			"check-interval": "check_interval_seconds", "expires": "credentials_expire_at"})
		if len(args) > 0 {
			body["name"] = args[0]
		}
		if name, _ := c.Flags().GetString("provider-config-file"); name != "" {
			return body, readConfig(c, body)
		}
		return body, nil
	}}
	body, err := k.wholeBody(cmd, args)
	if err != nil {
		return nil, err
	}
	return body.(client.Object), nil
}

// answered completes a request where nobody can be asked.
func answered(cmd *cobra.Command, body client.Object) error {
	for flag, key := range map[string]string{"NAME": "name", "--provider": "provider_type"} {
		if body[key] == nil {
			return errs.New(errs.Invalid, "client", "give "+flag+": nobody can be asked, as standard input is no terminal")
		}
	}
	if body["provider_config"] != nil {
		return nil
	}
	var err error
	body["provider_config"], err = readObject(cmd, "-", "the configuration")
	return err
}

// askUntilMade asks for what is missing, and again for what the server finds
// wrong: nothing that was right has to be typed twice.
func askUntilMade(who *asker, body client.Object, create func() (client.Object, error)) (client.Object, error) {
	form, err := newForm(who, body)
	if err != nil {
		return nil, err
	}
	for {
		made, err := create()
		bad := form.blamed(err)
		if err == nil || len(bad) == 0 {
			return made, err
		}
		who.say("\n%s\n", explain(err))
		for _, name := range bad {
			if err := form.ask(name); err != nil {
				return nil, err
			}
		}
	}
}

// form is the questions that one provider's configuration needs.
type form struct {
	who    *asker
	body   client.Object
	config client.Object // provider_config
	creds  client.Object // provider_config.credentials
	spec   config.Spec
	kind   config.Credential
	given  bool // a file holds a configuration, if not all of it
}

func newForm(who *asker, body client.Object) (*form, error) {
	f := &form{who: who, body: body}
	if err := f.begin(); err != nil {
		return nil, err
	}
	if f.kind.Type == "service_account" && len(f.creds) == 1 {
		if err := f.keyFile(); err != nil {
			return nil, err
		}
	}
	for _, field := range f.fields() {
		if field.Required && f.place(field.Name)[field.Name] == nil && (field.Instead == "" || f.creds[field.Instead] == nil) {
			if err := f.ask(field.Name); err != nil {
				return nil, err
			}
		}
	}
	if f.given { // whoever wrote it has chosen
		return f, nil
	}
	return f, f.optional()
}

// begin settles name, provider and kind of credentials.
func (f *form) begin() (err error) {
	for text := ""; f.body["name"] == nil; {
		if text, err = f.who.line("Name of the connection"); err != nil {
			return err
		}
		if text != "" {
			f.body["name"] = text
		}
	}
	name, _ := f.body["provider_type"].(string)
	if name == "" {
		var names, titles []string
		for _, s := range config.Specs() {
			names, titles = append(names, s.Provider), append(titles, s.Title)
		}
		if name, err = f.who.choose("Provider", names, titles); err != nil {
			return err
		}
		f.body["provider_type"] = name
	}
	spec, ok := config.Lookup(name)
	if !ok {
		return errs.New(errs.Invalid, "client", config.Refusal(name))
	}
	f.spec = spec
	f.given = f.body["provider_config"] != nil
	f.config = nested(f.body, "provider_config")
	f.creds = nested(f.config, "credentials")
	return f.chooseKind()
}

func (f *form) chooseKind() error {
	typ, _ := f.creds["type"].(string)
	for _, k := range f.spec.Credentials {
		told := func(name string) bool { return f.creds[name] != nil }
		if typ == "" && slices.ContainsFunc(k.Told, told) && !slices.ContainsFunc(k.Untold, told) {
			typ = k.Type
		}
	}
	if typ == "" {
		var names, remarks []string
		for _, k := range f.spec.Credentials {
			names, remarks = append(names, k.Type), append(remarks, k.Description)
		}
		var err error
		if typ, err = f.who.choose("Credentials", names, remarks); err != nil {
			return err
		}
	}
	kind, ok := f.spec.Kind(typ)
	if !ok {
		return errs.New(errs.Invalid, "client", f.spec.Title+" has no credentials of type "+typ)
	}
	f.creds["type"], f.kind = typ, kind
	return nil
}

// nested is an object within another, made if it is not there.
func nested(o client.Object, key string) client.Object {
	in, ok := o[key].(client.Object)
	if !ok {
		in = client.Object{}
		o[key] = in
	}
	return in
}

// fields are all that fit the kind of credentials, those first.
func (f *form) fields() []config.Field {
	return slices.DeleteFunc(slices.Concat(f.kind.Fields, f.spec.Fields), func(x config.Field) bool { return x.Kind != "" && x.Kind != f.kind.Type })
}

// place is the object that a field belongs into.
func (f *form) place(name string) client.Object {
	if slices.ContainsFunc(f.kind.Fields, func(x config.Field) bool { return x.Name == name }) {
		return f.creds
	}
	return f.config
}

// optional offers the fields that can be left out.
func (f *form) optional() error {
	var names []string
	for _, field := range f.fields() {
		if !field.Required && f.place(field.Name)[field.Name] == nil {
			names = append(names, field.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	more, err := f.who.agreed("Set any of the optional " + strings.Join(names, ", ") + "?")
	if err != nil || !more {
		return err
	}
	for _, name := range names {
		if err := f.ask(name); err != nil {
			return err
		}
	}
	return nil
}

// ask asks for one field. Keys are files; other secrets are typed unseen.
func (f *form) ask(name string) error {
	i := slices.IndexFunc(f.fields(), func(x config.Field) bool { return x.Name == name })
	if i < 0 {
		return f.askName(name)
	}
	field := f.fields()[i]
	for {
		f.who.say("%s", field.Description)
		read, question := f.who.line, name
		isKey := name == "private_key"
		switch {
		case isKey:
			question = name + ", path of its file"
		case field.Secret:
			read = f.who.hidden
		}
		if !field.Required {
			question += " (Enter: none)"
		}
		text, err := read(question)
		if err != nil {
			return err
		}
		if text == "" && !field.Required {
			delete(f.place(name), name)
			return nil
		}
		value, complaint := f.value(field, text, isKey)
		if complaint == "" && text != "" {
			f.place(name)[name] = value
			return nil
		}
		f.who.say("  %s", complaint)
	}
}

func (f *form) askName(name string) error {
	text, err := f.who.line("Another " + name)
	if err == nil && text != "" {
		f.body[name] = text
	}
	return err
}

// value reads an answer as the field's type.
func (f *form) value(field config.Field, text string, isFile bool) (v any, complaint string) {
	switch {
	case isFile:
		raw, err := os.ReadFile(text)
		if err != nil || len(raw) > maxLine {
			return nil, "that file can't be read"
		}
		return string(raw), ""
	case text == "":
		return nil, "it is needed"
	case field.Type == config.Boolean:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, "answer true or false"
		}
		return b, ""
	case field.Type == config.Integer:
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, "answer a number"
		}
		return n, ""
	case field.Type == config.Strings:
		var list []any
		for part := range strings.SplitSeq(text, ",") {
			list = append(list, strings.TrimSpace(part))
		}
		return list, ""
	}
	return text, ""
}

// keyFile takes the key file of a service account whole.
func (f *form) keyFile() error {
	for {
		name, err := f.who.line("Path of the key file that Google gave (Enter: type its fields)")
		if err != nil || name == "" {
			return err
		}
		file, err := os.ReadFile(name)
		if err == nil {
			var key client.Object
			if key, err = decodeObject(strings.NewReader(string(file)), "the key file"); err == nil {
				f.creds, f.config["credentials"] = key, key
				key["type"] = f.kind.Type
				return nil
			}
		}
		f.who.say("  that file can't be read, or is not a key file")
	}
}

// blamed are the fields to ask for again after an error: those that the server
// names, or the one that its advice is about.
func (f *form) blamed(err error) (names []string) {
	e := errs.From(err)
	for _, bad := range e.Fields {
		if name, ok := bad.Loc[len(bad.Loc)-1].(string); ok && f.known(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 && errs.Is(err, errs.AlreadyExists) {
		names = []string{"name"}
	}
	if err == nil || len(names) > 0 {
		return names
	}
	// A refusal by the provider names fields in its advice, by their path, else in
	// what the refusal means.
	for _, form := range []string{"credentials.%s", "check %s", "and %s"} {
		for _, field := range f.fields() {
			if regexp.MustCompile(fmt.Sprintf(form, field.Name) + `\b`).MatchString(e.Message()) {
				names = append(names, field.Name)
			}
		}
		if len(names) > 0 {
			break
		}
	}
	return names
}

func (f *form) known(name string) bool {
	return name == "name" || slices.ContainsFunc(f.fields(), func(x config.Field) bool { return x.Name == name })
}
