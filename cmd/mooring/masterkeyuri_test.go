package main

import (
	"os"
	"path/filepath"
	"testing"

	"mooring/csfle/kmstest"
	"mooring/internal/errs"
)

func TestMasterKeysAreNamedByURI(t *testing.T) {
	file := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(file, kmstest.StartGCP(t).KeyFile("https://oauth2.googleapis.com/token"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	const arn, gcp = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "projects/p/locations/l/keyRings/r/cryptoKeys/k"
	for uri, fingerprint := range map[string]string{
		"aws-kms://" + arn:                           arn,
		"gcp-kms://" + gcp:                           gcp,
		"azure-kms://mooring.vault.azure.net/keys/k": "https://mooring.vault.azure.net/keys/k",
	} {
		k, err := openMasterKey(t.Context(), uri)
		if err != nil || k.Fingerprint() != fingerprint {
			t.Errorf("%s: %v, %v", uri, k, err)
		}
	}
	for _, uri := range []string{"aws-kms://k", "gcp-kms://k", "azure-kms://k", "kmip://k", "file:///master.key"} {
		if _, err := openMasterKey(t.Context(), uri); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", uri, err)
		}
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "missing.json"))
	if _, err := openMasterKey(t.Context(), "gcp-kms://"+gcp); !errs.Is(err, errs.Invalid) {
		t.Errorf("without credentials: %v", err)
	}
}
