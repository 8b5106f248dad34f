package csfle_test

import (
	"context"
	"fmt"
	"log"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
)

// A service seals a secret for the place and the use it has, and opens it only
// for these.
func Example() {
	ctx := context.Background()
	master := csfle.GenerateLocalMasterKey() // a service: csfle.LoadLocalMasterKey("master.key")
	keys := csfle.NewKeyring(new(csfle.MemoryVault), master, csfle.KeyringOptions{})
	sealer := csfle.NewSealer(keys)

	org := id.NewOrg()
	if _, err := sealer.EnsureKey(ctx, org, 1); err != nil {
		log.Fatal(err)
	}
	b := csfle.Binding{
		Org: org, Record: "conn_example", Field: "provider_config.secret_access_key",
		Use: csfle.UseDigest("endpoint", "https://s3.example", "access_key_id", "AKIAEXAMPLE"),
	}
	sealed, err := sealer.Seal(ctx, csfle.KeyName(org, 1), b, secret.New("hush"))
	if err != nil {
		log.Fatal(err)
	}

	opened, err := sealer.Open(ctx, b, sealed)
	fmt.Println(opened.Reveal(), err)

	b.Use = csfle.UseDigest("endpoint", "https://elsewhere.example", "access_key_id", "AKIAEXAMPLE")
	_, err = sealer.Open(ctx, b, sealed)
	fmt.Println(errs.KindOf(err), err)
	// Output:
	// hush <nil>
	// corrupt csfle.open: the secret was sealed for another use than the record now has (use)
}

// A value encrypted deterministically can be found by equality.
func ExampleKeyring() {
	ctx := context.Background()
	keys := csfle.NewKeyring(new(csfle.MemoryVault), csfle.GenerateLocalMasterKey(), csfle.KeyringOptions{})
	key, err := keys.CreateKey(ctx, "people")
	if err != nil {
		log.Fatal(err)
	}
	typ, raw, err := bson.MarshalValue("123-45-6789")
	if err != nil {
		log.Fatal(err)
	}
	v := bson.RawValue{Type: typ, Value: raw}
	stored, _ := keys.Encrypt(ctx, key, csfle.Deterministic, v)
	sought, _ := keys.Encrypt(ctx, key, csfle.Deterministic, v)
	fmt.Println(stored.Equal(sought))

	opened, err := keys.Decrypt(ctx, stored)
	fmt.Println(opened, err)
	// Output:
	// true
	// "123-45-6789" <nil>
}
