package web

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
)

// pasteField is a field that takes all credentials at once, where providers give
// them so. What it is given is as secret as what it holds.
func pasteField(provider, kind string) []field {
	f := field{Name: "paste", Kind: "textarea", Rows: 5, Secret: true, Optional: true, Drop: "a file"}
	switch {
	case provider == "google_drive" && kind == "service_account":
		f.Label, f.Help = "Key file", "Paste the JSON key file that Google gave you, or drop it here: it fills in everything below. "+
			"Google Cloud console, IAM & Admin, Service accounts, Keys, Add key, JSON."
	case kind == "access_key":
		f.Label, f.Help = "Credentials block", "Paste or drop a profile of ~/.aws/credentials, export lines, or the JSON that AWS tools print, instead of the fields below."
	default:
		return nil
	}
	return []field{f}
}

// paste reads such a block into provider_config's credentials, before what was
// typed into the fields.
func paste(provider string, k config.Credential, text string, doc map[string]any, at errs.Fields) {
	if text = strings.TrimSpace(text); text == "" || len(pasteField(provider, k.Type)) == 0 {
		return
	}
	creds, _ := doc["credentials"].(map[string]any)
	found := pastedJSON(text)
	if found == nil && k.Type == "access_key" {
		found = pastedLines(text)
	}
	taken := 0
	for name, x := range found {
		name = strings.TrimPrefix(snake(name), "aws_")
		if name == "region" && doc["region"] == nil {
			doc["region"] = x
		}
		if slices.ContainsFunc(k.Fields, func(f config.Field) bool { return f.Name == name }) {
			creds[name], taken = x, taken+1
		}
	}
	if taken == 0 {
		at.Add("value_error", "holds none of the credentials that are needed here: paste the whole file or block", "paste")
	}
}

// pastedJSON is a JSON object's texts, also those of a "Credentials" within; nil for anything else.
func pastedJSON(text string) map[string]string {
	var raw map[string]any
	if json.Unmarshal([]byte(text), &raw) != nil {
		return nil
	}
	for _, inner := range []string{"Credentials", "AccessKey"} {
		if m, ok := raw[inner].(map[string]any); ok {
			raw = m
		}
	}
	out := map[string]string{}
	for name, x := range raw {
		if s, ok := x.(string); ok {
			out[name] = s
		}
	}
	return out
}

// pastedLines reads NAME=value, as profiles and shells write it.
func pastedLines(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		for _, lead := range []string{"export ", "set ", "$env:", "$Env:"} {
			line = strings.TrimPrefix(line, lead)
		}
		name, x, ok := strings.Cut(line, "=")
		if ok && !strings.HasPrefix(line, "#") {
			out[strings.TrimSpace(name)] = strings.Trim(strings.TrimSpace(x), `"'`)
		}
	}
	return out
}

// snake brings AccessKeyId and AWS_ACCESS_KEY_ID to access_key_id.
func snake(name string) string {
	var out strings.Builder
	lower := false
	for _, r := range name {
		upper := r >= 'A' && r <= 'Z'
		if upper && lower {
			out.WriteByte('_')
		}
		lower = !upper && r != '_'
		out.WriteRune(r)
	}
	return strings.ToLower(out.String())
}

// watchOf reads the fields of watchFields.
func watchOf(form url.Values, at errs.Fields) (interval *int64, expires *time.Time) {
	if given := form.Get("check_interval_seconds"); given != "" {
		n, err := strconv.ParseInt(given, 10, 64)
		if err != nil {
			at.Add("int_type", "must be a whole number", "check_interval_seconds")
		}
		interval = &n
	}
	if given := form.Get("credentials_expire_at"); given != "" {
		t, err := time.Parse(time.DateOnly, given)
		if err != nil {
			at.Add("datetime_parsing", "must be a date such as 2026-01-31", "credentials_expire_at")
		}
		expires = &t
	}
	return interval, expires
}

// whereToFind says where providers show the values that forms ask for.
var whereToFind = map[string]string{
	"s3.region":                    "In the S3 console beside the bucket's name.",
	"s3.access_key_id":             "IAM console, Users, Security credentials, Access keys.",
	"s3.secret_access_key":         "Shown once, when the access key is created.",
	"s3.session_token":             "With the access key, where it was given for a limited time.",
	"s3.role_arn":                  "IAM console, Roles, the role's Summary.",
	"s3.external_id":               "Use the one shown below.",
	"tigris.access_key_id":         "Tigris dashboard, Access Keys.",
	"tigris.secret_access_key":     "Shown once, when the access key is created.",
	"google_drive.client_id":       "In the key file, or in the Google Cloud console under Credentials.",
	"google_drive.client_secret":   "Google Cloud console, APIs & Services, Credentials.",
	"google_drive.shared_drive_id": "The last part of the drive's address: drive.google.com/drive/folders/ID.",
	"google_drive.refresh_token":   "Given by Google's token endpoint after a consent with access_type=offline.",
	"sharepoint.tenant_id":         "Microsoft Entra admin center, Overview.",
	"sharepoint.client_id":         "Microsoft Entra admin center, App registrations, the application's Overview.",
	"sharepoint.client_secret":     "App registrations, Certificates & secrets; shown once.",
	"sharepoint.site_id":           "The address of the site in a browser does.",
	"snowflake.account":            "Snowsight, the account menu, View account details.",
	"snowflake.warehouse":          "Snowsight, Admin, Warehouses.",
	"snowflake.username":           "SELECT CURRENT_USER() tells.",
	"snowflake.private_key":        "The file whose public part was set with ALTER USER … SET RSA_PUBLIC_KEY.",
}
