package main

import (
	"os"

	"mooring/internal/secret"
)

// ambient is the operator's own AWS identity, from the environment variables
// that AWS names. It is used to assume tenants' roles and for nothing else.
type ambient struct{}

func (ambient) Credentials() (string, secret.String, secret.String, bool) {
	access, key := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	return access, secret.New(key), secret.New(os.Getenv("AWS_SESSION_TOKEN")), access != "" && key != ""
}
