package s3_test

import (
	"context"
	"fmt"
	"io"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring/emulator/s3"
)

// A download breaks off, and the client goes on where it stopped.
func Example() {
	srv, err := s3.Start(s3.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	if err := srv.CreateBucket("photos"); err != nil {
		log.Fatal(err)
	}
	if err := srv.Put("photos", "cat.jpg", []byte("a picture of a cat"), s3.PutOptions{}); err != nil {
		log.Fatal(err)
	}
	srv.Inject(s3.Fault{
		Match:  s3.Match{Operations: []s3.Operation{s3.GetObject}, Key: "*.jpg"},
		Nth:    1,
		Action: s3.ShortBody(9),
	})

	client := sdk.New(sdk.Options{
		BaseEndpoint: aws.String(srv.URL()),
		Region:       srv.Region(),
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(s3.DefaultAccessKeyID, s3.DefaultSecretAccessKey, ""),
	})
	for offset := 0; ; {
		out, err := client.GetObject(context.Background(), &sdk.GetObjectInput{
			Bucket: aws.String("photos"), Key: aws.String("cat.jpg"), Range: aws.String(fmt.Sprintf("bytes=%d-", offset)),
		})
		if err != nil {
			log.Fatal(err)
		}
		part, err := io.ReadAll(out.Body)
		_ = out.Body.Close()
		fmt.Printf("%q %v\n", part, err)
		if err == nil {
			break
		}
		offset += len(part)
	}
	for _, r := range srv.Requests() {
		fmt.Println(r.Operation, r.Key, r.Range, r.Status, r.Faults)
	}
	// Output:
	// "a picture" unexpected EOF
	// " of a cat" <nil>
	// GetObject cat.jpg bytes=0- 206 [ShortBody]
	// GetObject cat.jpg bytes=9- 206 []
}
