package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/id"
)

// ExternalIDFor is the external id that Mooring issues to an organization, for
// the trust policies of its roles. Several organizations assume roles with the
// operator's one AWS identity; the external id is what keeps one from using
// another's role. It need not be secret, but no other organization must be able
// to have it issued, nor to work it out ahead: it is a digest of the
// organization's random id, and always the same.
func ExternalIDFor(org id.Org) string {
	sum := sha256.Sum256([]byte("mooring external id v1\x00" + string(org)))
	return "mooring-" + hex.EncodeToString(sum[:])[:32]
}

// checkExternalID notes an external id that was not issued to the organization,
// once others share the operator's identity.
func (s *Service) checkExternalID(ctx context.Context, org id.Org, c config.Config, at errs.Fields) error {
	if c.Credential != "iam_role" || s.d.Shared == nil || c.Text("external_id") == ExternalIDFor(org) {
		return nil
	}
	shared, err := s.d.Shared(ctx)
	if err != nil {
		return errs.Wrap(err, errs.Internal, "connection.external_id", "it can't be told whether other organizations exist")
	}
	if shared {
		at.Add("value_error", "several organizations share this server's AWS identity, so the external id must be the one issued to this organization, "+
			ExternalIDFor(org)+": put it into the role's trust policy and here", "credentials", "external_id")
	}
	return nil
}
