package config

import "regexp"

// ClientField is the credential field that names an OAuth client of the
// operator's, whose secret is in no connection: it is filled in for use.
const ClientField = "oauth_client"

var clientName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// CheckClientName says what is wrong with a name of an OAuth client, "" when nothing is.
func CheckClientName(s string) string {
	if len(s) > 64 || !clientName.MatchString(s) {
		return mustClient
	}
	return ""
}

const mustClient = "must be 1 to 64 lower-case letters, digits, - and _, the first a letter or digit"

var operatorsClient = Field{Name: ClientField, Type: String, Use: true, Extension: true, Max: 64, Pattern: clientName, Must: mustClient,
	Description: "Name of an OAuth client that the operator set up, instead of client_id and client_secret."}

// orOperators is a field of an OAuth client that the operator's may stand for.
func orOperators(f Field) Field {
	f.Instead = ClientField
	return f
}
