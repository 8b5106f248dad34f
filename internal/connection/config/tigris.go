package config

var tigris = Spec{
	Provider: "tigris",
	Title:    "Tigris",
	Fields: []Field{
		{Name: "region", Type: String, Default: "auto", Max: 64, Pattern: hostLabel, Must: mustLabel,
			Description: "Region; auto is right unless Tigris says otherwise."},
		{Name: "endpoint_url", Type: String, Use: true, Default: "https://fly.storage.tigris.dev", Check: endpointURL,
			Description: "Base URL of the service."},
		bucketField,
	},
	Credentials: []Credential{{
		Type: "access_key", Told: []string{"access_key_id"},
		Description: "An access key of a Tigris account.",
		Fields: []Field{
			{Name: "access_key_id", Type: String, Required: true, Use: true, Min: 1, Max: 128, Pattern: token, Must: mustToken,
				Description: "Access key id, beginning with tid_. It is not secret."},
			{Name: "secret_access_key", Type: String, Required: true, Secret: true, Min: 1, Max: 1024, Pattern: token, Must: mustToken,
				Description: "Secret access key, beginning with tsec_."},
		},
	}},
}
