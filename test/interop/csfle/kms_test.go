//go:build interop

package csfle_test

import (
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"cloud.google.com/go/auth/credentials"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/aws/aws-sdk-go-v2/aws"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"

	"mooring/csfle"
	"mooring/csfle/awskms"
	"mooring/csfle/azurekms"
	"mooring/csfle/gcpkms"
	"mooring/csfle/kmstest"
)

func awsKey(t *testing.T) (csfle.MasterKey, official) {
	t.Helper()
	const arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	s := kmstest.StartAWS(t)
	k, err := awskms.New(t.Context(), awskms.Options{ARN: arn, Endpoint: s.Endpoint(), Config: &aws.Config{
		HTTPClient: s.Client(), Credentials: awscredentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "example", "")}})
	if err != nil {
		t.Fatal(err)
	}
	return k, official{
		Provider: "aws", KMS: map[string]string{"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "example"},
		Key: map[string]string{"region": "eu-central-1", "key": arn, "endpoint": s.Endpoint()},
		CA:  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})),
	}
}

// gcpKey is reached under Google's names, or by its endpoint.
func gcpKey(t *testing.T, version string, byEndpoint bool) (csfle.MasterKey, official) {
	t.Helper()
	s := kmstest.StartGCP(t)
	theirs := official{
		Provider: "gcp", KMS: map[string]string{"email": s.Email(), "privateKey": base64.StdEncoding.EncodeToString(s.PrivateKey())},
		Key: map[string]string{"projectId": "example", "location": "europe-west1", "keyRing": "mooring", "keyName": "master"},
		CA:  s.CA(), Address: s.Address(),
	}
	ours := gcpkms.Options{Name: "projects/example/locations/europe-west1/keyRings/mooring/cryptoKeys/master", Transport: s.Client().Transport}
	token := "https://oauth2.googleapis.com/token"
	if version != "" {
		theirs.Key["keyVersion"] = version
		ours.Name += "/cryptoKeyVersions/" + version
	}
	if byEndpoint {
		theirs.Key["endpoint"], theirs.KMS["endpoint"], theirs.Address = s.Address(), s.Address(), ""
		ours.Endpoint, token = s.Address(), s.URL+"/token"
	}
	var err error
	ours.Credentials, err = credentials.NewCredentialsFromJSON(credentials.ServiceAccount, s.KeyFile(token), &credentials.DetectOptions{
		Scopes: []string{"https://www.googleapis.com/auth/cloudkms"}, Client: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	k, err := gcpkms.New(t.Context(), ours)
	if err != nil {
		t.Fatal(err)
	}
	return k, theirs
}

// azureKey is reached under Azure's names, and the official side's token by its
// endpoint if that is asked for.
func azureKey(t *testing.T, named, byEndpoint bool) (csfle.MasterKey, official) {
	t.Helper()
	const vault = "mooring.vault.azure.net"
	s := kmstest.StartAzure(t)
	version := s.NewVersion(t, "master")
	theirs := official{
		Provider: "azure", KMS: map[string]string{"tenantId": kmstest.AzureTenant, "clientId": kmstest.AzureClient, "clientSecret": kmstest.AzureSecret},
		Key: map[string]string{"keyVaultEndpoint": vault, "keyName": "master"},
		CA:  s.CA(), Address: s.Address(),
	}
	o := azcore.ClientOptions{Transport: s.Client()}
	id, err := azidentity.NewClientSecretCredential(kmstest.AzureTenant, kmstest.AzureClient, kmstest.AzureSecret, &azidentity.ClientSecretCredentialOptions{ClientOptions: o})
	if err != nil {
		t.Fatal(err)
	}
	ours := azurekms.Options{Vault: vault, Name: "master", Credential: id, Client: o}
	if named {
		theirs.Key["keyVersion"], ours.Version = version, version
	}
	if byEndpoint {
		theirs.KMS["identityPlatformEndpoint"] = s.Address()
	}
	k, err := azurekms.New(ours)
	if err != nil {
		t.Fatal(err)
	}
	return k, theirs
}

func TestAWSBothWays(t *testing.T) {
	k, o := awsKey(t)
	bothWays(t, k, o)
}

func TestGCPBothWays(t *testing.T) {
	for name, c := range map[string]struct {
		version    string
		byEndpoint bool
	}{"under Google's names": {"", false}, "by the endpoint": {"", true}, "by a version of the key": {"1", false}} {
		t.Run(name, func(t *testing.T) {
			k, o := gcpKey(t, c.version, c.byEndpoint)
			bothWays(t, k, o)
		})
	}
}

func TestAzureBothWays(t *testing.T) {
	for name, c := range map[string]struct{ named, byEndpoint bool }{"by the newest version": {false, false}, "by a version of the key": {true, true}} {
		t.Run(name, func(t *testing.T) {
			k, o := azureKey(t, c.named, c.byEndpoint)
			bothWays(t, k, o)
		})
	}
}

// TestRewrapFromServiceToService: the official side opens what we sealed, under
// each master key in turn and no longer under the one before.
func TestRewrapFromServiceToService(t *testing.T) {
	type master struct {
		key      csfle.MasterKey
		official official
	}
	raw, local := localKey(t)
	chain := []master{{local, official{Master: raw}}}
	for _, open := range []func() (csfle.MasterKey, official){
		func() (csfle.MasterKey, official) { return awsKey(t) },
		func() (csfle.MasterKey, official) { return gcpKey(t, "", false) },
		func() (csfle.MasterKey, official) { return azureKey(t, false, false) },
	} {
		k, o := open()
		chain = append(chain, master{k, o})
	}
	chain = append(chain, chain[0])
	plain, s := random(t, 15), newSide(local)
	if _, err := s.ring.CreateKey(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	sealed := s.seal(t, "k", plain)
	for i, to := range chain[1:] {
		from := chain[i]
		r, err := csfle.NewKeyring(s.vault, csfle.WithPrevious(to.key, from.key), csfle.KeyringOptions{}).RewrapAll(t.Context(), to.key)
		if err != nil || r.Rewrapped != 1 {
			t.Fatalf("to %s: %+v, %v", to.key.Fingerprint(), r, err)
		}
		same(t, ask(t, order{official: to.official, Do: "open", Keys: s.keys(t), Values: sealed}).Values, plain)
		for _, v := range ask(t, order{official: from.official, Do: "open", Keys: s.keys(t), Values: sealed}).Values {
			if v != nil {
				t.Fatalf("%s still opens it", from.key.Fingerprint())
			}
		}
	}
}

// TestRewrapOfTheBinary: a store's master key becomes one of Google Cloud KMS by the
// command, which finds its credentials where Google's libraries look for them, and
// the official side opens what the store holds.
func TestRewrapOfTheBinary(t *testing.T) {
	const secret = "example/of+interop/0123456789/kms"
	dir := filepath.Join(t.TempDir(), "data")
	withCredential(t, dir, secret)
	s := kmstest.StartGCP(t)
	files := t.TempDir()
	ca, account := filepath.Join(files, "ca.pem"), filepath.Join(files, "account.json")
	for name, content := range map[string][]byte{ca: []byte(s.CA()), account: s.KeyFile(s.URL + "/token")} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const name = "projects/example/locations/europe-west1/keyRings/mooring/cryptoKeys/master"
	uri := "gcp-kms://" + name + "?endpoint=" + s.Address()
	run := func(args ...string) error {
		cmd := exec.CommandContext(t.Context(), bin, append(args, "--data-dir", dir)...)
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+ca, "GOOGLE_APPLICATION_CREDENTIALS="+account)
		out, err := cmd.CombinedOutput()
		t.Logf("%v: %s", args, out)
		return err
	}
	if err := run("keys", "rewrap", uri); err != nil {
		t.Fatal(err)
	}
	keys, sealed := stored(t, dir)
	theirs := official{
		Provider: "gcp", KMS: map[string]string{"email": s.Email(), "privateKey": base64.StdEncoding.EncodeToString(s.PrivateKey()), "endpoint": s.Address()}, CA: s.CA(),
	}
	if got := ask(t, order{official: theirs, Do: "open", Keys: keys, Values: [][]byte{sealed}}).Values[0]; value(got) != secret {
		t.Errorf("the official side reads %q", value(got))
	}
	if err := run("keys", "list", "--kms", uri); err != nil {
		t.Error("the store does not open with its new master key")
	}
	if err := run("keys", "list"); err == nil {
		t.Error("the store opens with its old master key")
	}
}
