//go:build interop

package destination

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring/internal/id"
	"mooring/internal/sink"
	"mooring/internal/sink/s3"
	"mooring/internal/sink/sinktest"
	"mooring/test/interop/s3server"
)

// harness is a bucket of versitygw.
type harness struct{ o s3.Options }

func (h harness) Destination(t *testing.T) sink.Destination {
	t.Helper()
	d, err := s3.New(h.o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// versitygw keeps objects as files, knows conditions, and keeps to the least
// size of a part; so parts are what the smallest are.
func TestVersityGW(t *testing.T) {
	server := s3server.Start(t, os.Getenv(s3server.Env))
	keys := credentials.NewStaticCredentialsProvider(server.AccessKey, server.SecretKey, "")
	client := sdk.New(sdk.Options{BaseEndpoint: &server.URL, Region: server.Region, UsePathStyle: true, Credentials: keys})
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		bucket := "b" + string(id.NewBucket())[len("bkt_"):]
		if _, err := client.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
			t.Fatal(err)
		}
		return harness{s3.Options{Endpoint: server.URL, Region: server.Region, Bucket: bucket, Prefix: "some/prefix", Credentials: keys}}
	})
}

// Larger content goes in parts, and is copied in parts.
func TestVersityGWInParts(t *testing.T) {
	server := s3server.Start(t, os.Getenv(s3server.Env))
	keys := credentials.NewStaticCredentialsProvider(server.AccessKey, server.SecretKey, "")
	client := sdk.New(sdk.Options{BaseEndpoint: &server.URL, Region: server.Region, UsePathStyle: true, Credentials: keys})
	if _, err := client.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: aws.String("parts")}); err != nil {
		t.Fatal(err)
	}
	const part, size = 5 << 20, 23 << 20
	d := harness{s3.Options{Endpoint: server.URL, Region: server.Region, Bucket: "parts", Credentials: keys, PartSize: part, CopyLimit: 6 << 20, CopyPart: part}}.Destination(t)
	sinktest.Large(t, d, size)
}
