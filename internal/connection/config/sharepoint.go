package config

import (
	"net/url"
	"regexp"
	"strings"
)

var sharePoint = Spec{
	Provider: "sharepoint",
	Title:    "SharePoint and OneDrive",
	Fields: []Field{
		{Name: "site_id", Type: String, Check: siteID,
			Description: "Site: host,siteGuid,webGuid, its URL, or root. Without it, the user's own OneDrive."},
		{Name: "drive_id", Type: String, Max: 255, Pattern: opaqueID, Must: mustID,
			Description: "Document library, an id that begins with b!. Without it, the default library."},
		{Name: "folder_path", Type: String, Max: 400, Check: folderPath,
			Description: "Folder to start from. Without it, the root of the library."},
	},
	Credentials: []Credential{
		{
			Type: "client_credentials", Told: []string{"tenant_id", "client_secret"}, Untold: []string{"refresh_token"},
			Description: "An application that acts as itself.",
			Fields:      []Field{tenantField, clientField, clientSecretField},
		},
		{
			Type: "delegated", Told: []string{"refresh_token", "tenant_id"},
			Description: "An application that acts for a user who granted it a refresh token.",
			Fields: []Field{tenantField, orOperators(clientField), orOperators(clientSecretField),
				{Name: "refresh_token", Type: String, Required: true, Secret: true, Pattern: token, Must: mustToken,
					Description: "Refresh token with offline_access. It is replaced at each use."},
				operatorsClient,
			},
		},
	},
}

var (
	tenantField = Field{Name: "tenant_id", Type: String, Required: true, Use: true, Max: 253,
		Pattern: hostName, Must: "must be the directory's id or domain",
		Description: "Directory (tenant) id, or for delegated credentials common."}
	clientField = Field{Name: "client_id", Type: String, Required: true, Use: true, Max: 255,
		Pattern: token, Must: mustToken, Description: "Application (client) id."}
	clientSecretField = Field{Name: "client_secret", Type: String, Required: true, Secret: true,
		Pattern: token, Must: mustToken, Description: "Value of a client secret, not its id."}

	siteTriple = regexp.MustCompile(`^[A-Za-z0-9.-]+,[0-9A-Fa-f-]{36},[0-9A-Fa-f-]{36}$`)
)

// siteID accepts the three forms of the contract and Graph's own
// host:/sites/name.
func siteID(s string) (string, string) {
	if s == "root" || siteTriple.MatchString(s) {
		return s, ""
	}
	host, path, isPath := strings.Cut(s, ":/")
	if u, err := url.Parse(s); err == nil && u.Scheme == "https" && u.User == nil && u.RawQuery == "" && u.Fragment == "" {
		host, path, isPath = u.Host, u.Path, true
	}
	if _, complaint := folderPath(path); hostName.MatchString(host) && strings.Contains(host, ".") && complaint == "" && (isPath || path == "") {
		return s, ""
	}
	return "", "must be host,siteGuid,webGuid, the site's URL (https://…) or root"
}

// folderPath accepts a path of names that SharePoint allows; its colons and
// dot segments would change the meaning of a Graph address.
func folderPath(s string) (string, string) {
	if !goodPath(strings.ReplaceAll(s, "%", "")) || strings.ContainsAny(s, `"*:<>?\|#`) {
		return "", `must be a path of folder names, without . or .. and without "*:<>?\|#`
	}
	return s, ""
}
