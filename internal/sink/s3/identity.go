package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"mooring/internal/errs"
	"mooring/internal/secret"
)

// Key is the identity of an access key.
func Key(id string, key secret.String) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(id, key.Reveal(), "")
}

// Own is the identity of this process, found where AWS' tools find it: the
// environment, the shared files, a web identity, or the machine's role.
func Own(ctx context.Context, region string) (aws.CredentialsProvider, error) {
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return nil, errs.New(errs.Invalid, "s3.identity", "the AWS identity of this process can't be read: see the environment variables AWS_… and the files that they name")
	}
	return c.Credentials, nil
}
