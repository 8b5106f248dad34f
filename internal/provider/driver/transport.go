package driver

import (
	"net/http"

	"mooring/internal/secret"
)

// Transport gives HTTP clients whose every address is checked.
type Transport interface {
	// Client returns a client for tenant-directed traffic. insecure skips the
	// verification of certificates (verify_ssl false) and nothing else.
	Client(insecure bool) *http.Client
	// Operator returns a client for the operator's own identity (STS, KMS).
	Operator() *http.Client
}

// Identity is the operator's own AWS credentials, used to assume tenants' roles.
type Identity interface {
	Credentials() (accessKeyID string, secretKey, sessionToken secret.String, ok bool)
}
