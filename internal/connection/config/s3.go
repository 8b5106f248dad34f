package config

import "regexp"

var s3 = Spec{
	Provider: "s3",
	Title:    "Amazon S3 and compatible",
	Fields: []Field{
		{Name: "region", Type: String, Required: true, Max: 64, Pattern: hostLabel, Must: mustLabel,
			Description: "Region of the buckets, such as eu-west-1. For a server that is not AWS, us-east-1 is usually right."},
		{Name: "endpoint_url", Type: String, Use: true, Check: endpointURL,
			Description: "Base URL of a server that is not AWS. Its scheme decides whether TLS is used."},
		{Name: "use_ssl", Type: Boolean, Use: true, Default: true,
			Description: "Whether to speak TLS where endpoint_url does not say."},
		{Name: "verify_ssl", Type: Boolean, Use: true, Default: true,
			Description: "Whether to verify the server's certificate."},
		bucketField,
	},
	Credentials: []Credential{
		{
			Type: "access_key", Told: []string{"access_key_id"},
			Description: "An access key of an IAM user, or temporary credentials with their session token.",
			Fields: []Field{
				{Name: "access_key_id", Type: String, Required: true, Use: true, Min: 16, Max: 128, LooseWith: "endpoint_url",
					Pattern: token, Must: mustToken, Description: "Access key id. It is not secret."},
				{Name: "secret_access_key", Type: String, Required: true, Secret: true, Min: 40, Max: 1024, LooseWith: "endpoint_url",
					Pattern: token, Must: mustToken, Description: "Secret access key."},
				{Name: "session_token", Type: String, Secret: true, Pattern: token, Must: mustToken,
					Description: "Session token, for temporary credentials only."},
			},
		},
		{
			Type: "iam_role", Told: []string{"role_arn"},
			Description: "A role that this server's own AWS identity may assume.",
			Fields: []Field{
				{Name: "role_arn", Type: String, Required: true, Use: true, Max: 2048,
					Pattern:     regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/([!-~]+/)*[\w+=,.@-]{1,64}$`),
					Must:        "must look like arn:aws:iam::123456789012:role/name",
					Description: "ARN of the role to assume."},
				{Name: "external_id", Type: String, Required: true, Use: true, Min: 8, Max: 128,
					Pattern:     regexp.MustCompile(`^[\w+=,.@:/-]+$`),
					Must:        "must hold only letters, digits and _+=,.@:/-",
					Description: "External id that the role's trust policy demands."},
			},
		},
	},
}

// bucketField is no field of the reference API's model but appears in its
// samples. It only names what the connection test reads.
var bucketField = Field{Name: "bucket", Type: String, Extension: true, Max: 255,
	Pattern: regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`), Must: "must be the name of a bucket, without a prefix",
	Description: "Bucket that the connection test reads. Without it the test lists the buckets."}
