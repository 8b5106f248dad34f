package access

import (
	"mooring/internal/audit"
	"mooring/internal/id"
)

// Resources as scopes name them: each is followed by what contains it.

// OfOrganization is the whole of an organization.
func OfOrganization(org id.Org) Resource {
	return Resource{{Type: audit.Organization, ID: string(org)}}
}

// OfConnection is a connection; with "", all of them.
func OfConnection(org id.Org, conn id.Connection) Resource {
	return append(Resource{{Type: audit.StorageConnection, ID: string(conn)}}, OfOrganization(org)...)
}

// OfNamespace is a namespace.
func OfNamespace(org id.Org, ns id.Namespace) Resource {
	return append(Resource{{Type: audit.Namespace, ID: string(ns)}}, OfOrganization(org)...)
}

// OfBucket is a bucket; with "", all of its namespace.
func OfBucket(org id.Org, ns id.Namespace, b id.Bucket) Resource {
	return append(Resource{{Type: audit.Bucket, ID: string(b)}}, OfNamespace(org, ns)...)
}
