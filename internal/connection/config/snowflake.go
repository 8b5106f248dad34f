package config

import "strings"

var snowflake = Spec{
	Provider: "snowflake",
	Title:    "Snowflake",
	Fields: []Field{
		{Name: "account", Type: String, Required: true, Use: true, Max: 255, Check: snowflakeAccount,
			Description: "Account identifier: organization-account, or locator.region."},
		{Name: "warehouse", Type: String, Required: true, Max: 255, Description: "Warehouse that runs the queries."},
		{Name: "database", Type: String, Max: 255, Description: "Database, where a source path names none."},
		{Name: "schema", Type: String, Max: 255, Description: "Schema, where a source path names none."},
		{Name: "role", Type: String, Use: true, Max: 255, Description: "Role to act in. Without it, the user's default."},
		{Name: "incremental_column", Type: String, Max: 255,
			Description: "Column that grows with each change. Without it, every run scans the whole table."},
		{Name: "incremental_overlap_seconds", Type: Integer, Extension: true, Min: 0, Max: 604800,
			Description: "How late a row may become visible behind its incremental_column: so much is read again. 900 without it."},
		{Name: "primary_key_columns", Type: Strings, Max: 32,
			Description: "Columns that identify a row. Without them, a hash of the row does."},
		{Name: "query_timeout_seconds", Type: Integer, Default: int64(300), Min: 30, Max: 3600,
			Description: "How long one query may take."},
		{Name: "fetch_size", Type: Integer, Default: int64(1000), Min: 100, Max: 10000,
			Description: "Rows in one round trip."},
	},
	Credentials: []Credential{
		{
			Type: "key_pair", Told: []string{"username", "private_key"},
			Description: "A user with an RSA key pair.",
			Fields: []Field{snowflakeUser,
				{Name: "private_key", Type: String, Required: true, Secret: true, Description: "Private key in PEM."},
				{Name: "private_key_passphrase", Type: String, Secret: true, Max: 1024,
					Description: "Passphrase, for an encrypted key only."},
			},
		},
		{
			Type: "username_password", Told: []string{"username", "password"},
			Description: "A user with a password.",
			Fields: []Field{snowflakeUser,
				{Name: "password", Type: String, Required: true, Secret: true, Max: 1024, Description: "Password of the user."},
			},
		},
	},
}

var snowflakeUser = Field{Name: "username", Type: String, Required: true, Use: true, Max: 255, Description: "Login name of the user."}

// snowflakeAccount accepts what stands before .snowflakecomputing.com.
func snowflakeAccount(s string) (string, string) {
	switch {
	case strings.Contains(strings.ToLower(s), ".snowflakecomputing."):
		return "", "must be the account identifier alone, without .snowflakecomputing.com"
	case !hostName.MatchString(s):
		return "", "must look like organization-account or locator.region"
	}
	return s, ""
}
