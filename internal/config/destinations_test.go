package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"mooring/internal/config"
	"mooring/internal/errs"
)

func TestDestinations(t *testing.T) {
	secret := secretFile(t, clientSecret+"\n")
	s, err := settings(t, `
[destinations.archive]
kind = 's3'
endpoint = 'https://s3.example.com'
region = 'us-east-1'
bucket = 'vault'
prefix = '/a/b/'
access_key_id = 'AKIA'
secret_access_key_file = '`+secret+`'
[destinations.aws]
kind = 's3'
region = 'eu-central-1'
bucket = 'vault'
[destinations.shelf]
kind = 'folder'
path = '/srv/shelf'
`, "")
	if err != nil {
		t.Fatal(err)
	}
	got := s.DestinationList()
	if len(got) != 4 {
		t.Fatalf("there are %d destinations", len(got))
	}
	archive, aws, standard, shelf := got[0], got[1], got[2], got[3]
	if archive.Prefix != "a/b" || archive.VirtualHosted || archive.Secret.Reveal() != clientSecret || archive.Path != "" {
		t.Errorf("archive is %+v", archive)
	}
	if aws.Endpoint != "" || aws.AccessKeyID != "" || aws.Region != "eu-central-1" {
		t.Errorf("aws is %+v", aws)
	}
	if standard.Name != config.DefaultDestination || !strings.HasSuffix(standard.Path, filepath.Join("mooring", "buckets")) {
		t.Errorf("the default is %+v", standard)
	}
	if shelf.Path != "/srv/shelf" {
		t.Errorf("shelf is %+v", shelf)
	}
	if s, err = settings(t, "[destinations.default]\nkind = 's3'\nregion = 'us-east-1'\nbucket = 'vault'\n", ""); err != nil {
		t.Fatal(err)
	}
	if got := s.DestinationList(); len(got) != 1 || got[0].Bucket != "vault" {
		t.Errorf("a default of one's own gives %+v", got)
	}
}

func TestDestinationsRefused(t *testing.T) {
	secret := secretFile(t, clientSecret)
	s3 := "kind = 's3'\nregion = 'us-east-1'\nbucket = 'vault'\n"
	for says, text := range map[string]string{
		"a name has":                   "[destinations.'A/b']\n" + s3,
		"kind must":                    "[destinations.a]\nkind = 'ftp'\n",
		"absolute path":                "[destinations.a]\nkind = 'folder'\npath = 'here'\n",
		"nothing else":                 "[destinations.a]\nkind = 'folder'\npath = '/here'\nregion = 'us-east-1'\n",
		"and nothing else":             "[destinations.a]\nkind = 's3'\nsecret_access_key = '" + clientSecret + "'\n",
		"must hold tables":             "destinations = 'a'\n",
		"region must":                  "[destinations.a]\nkind = 's3'\nbucket = 'vault'\n",
		"bucket must":                  "[destinations.a]\nkind = 's3'\nregion = 'us-east-1'\nbucket = '../vault'\n",
		"path is for folders":          "[destinations.a]\npath = '/here'\n" + s3,
		"prefix must":                  "[destinations.a]\nprefix = 'a/../b'\n" + s3,
		"endpoint must":                "[destinations.a]\nendpoint = 'https://user:" + clientSecret + "@s3.example.com'\n" + s3,
		"path_style":                   "[destinations.a]\npath_style = true\n" + s3,
		"go together":                  "[destinations.a]\nsecret_access_key_file = '" + secret + "'\n" + s3,
		"can't be read":                "[destinations.a]\naccess_key_id = 'AKIA'\nsecret_access_key_file = '/nowhere'\n" + s3,
		"--destination and":            "destination = '/here'\n[destinations.default]\n" + s3,
		"access_key_id must be the id": "[destinations.a]\naccess_key_id = 'A K'\nsecret_access_key_file = '" + secret + "'\n" + s3,
	} {
		_, err := settings(t, text, "")
		if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), clientSecret) {
			t.Errorf("want a refusal that says %q: %v", says, err)
		}
	}
}
