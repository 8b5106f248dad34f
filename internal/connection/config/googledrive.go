package config

import "regexp"

// exportFormat is one element of export_formats: a kind of document and what it is
// exported to, as Google offers.
var exportFormat = regexp.MustCompile(`^(document=(docx|odt|rtf|pdf|txt|zip|epub|md)|spreadsheet=(xlsx|ods|pdf|zip|csv|tsv)|` +
	`presentation=(pptx|odp|pdf|txt|jpeg|png|svg)|drawing=(svg|png|jpeg|pdf)|script=json|vid=mp4)$`)

var googleDrive = Spec{
	Provider: "google_drive",
	Title:    "Google Drive",
	Fields: []Field{
		{Name: "shared_drive_id", Type: String, Max: 128, Pattern: opaqueID, Must: mustID,
			Description: "Id of the shared drive to work on. Without it, the account's My Drive."},
		{Name: "impersonate_user", Type: String, Use: true, Max: 320, Pattern: email, Must: mustEmail, Kind: "service_account",
			Description: "User to act as by domain-wide delegation, for a service account only."},
		{Name: "export_formats", Type: Strings, Max: 6, Pattern: exportFormat, Must: "must be such as document=pdf, spreadsheet=csv or presentation=pdf",
			Extension: true, Description: "What documents of Google's editors are exported to, where not docx, xlsx, pptx and svg."},
	},
	Credentials: []Credential{
		{
			Type: "service_account", Told: []string{"client_email", "private_key"},
			Description: "A service account; its whole key file can be given as credentials.",
			// The URLs of a key file are never used: who writes one could have tokens sent elsewhere.
			Dropped: []string{"auth_uri", "token_uri", "auth_provider_x509_cert_url", "client_x509_cert_url", "universe_domain"},
			Fields: []Field{
				{Name: "project_id", Type: String, Required: true, Max: 255, Pattern: token, Must: mustToken,
					Description: "Project of the service account."},
				{Name: "private_key_id", Type: String, Required: true, Max: 255, Pattern: token, Must: mustToken,
					Description: "Id of the key. It is not secret."},
				{Name: "private_key", Type: String, Required: true, Secret: true,
					Description: "Private key in PEM."},
				{Name: "client_email", Type: String, Required: true, Use: true, Max: 320, Pattern: email, Must: mustEmail,
					Description: "E-mail address of the service account."},
				{Name: "client_id", Type: String, Required: true, Use: true, Max: 255, Pattern: token, Must: mustToken,
					Description: "Client id of the service account: digits, as a string."},
			},
		},
		{
			Type: "oauth", Told: []string{"refresh_token"}, Untold: []string{"tenant_id"},
			Description: "An OAuth client and a refresh token that a user granted it.",
			Fields: []Field{
				{Name: "client_id", Type: String, Required: true, Use: true, Max: 255, Pattern: token, Must: mustToken, Instead: ClientField,
					Description: "Client id of the OAuth application."},
				{Name: "client_secret", Type: String, Required: true, Secret: true, Pattern: token, Must: mustToken, Instead: ClientField,
					Description: "Client secret of the OAuth application."},
				{Name: "refresh_token", Type: String, Required: true, Secret: true, Pattern: token, Must: mustToken,
					Description: "Refresh token with the scope drive.readonly."},
				operatorsClient,
			},
		},
	},
}
