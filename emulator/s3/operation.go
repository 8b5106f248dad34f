package s3

import (
	"net/http"
	"net/url"
	"strings"
)

// Operation names an API call, as AWS names it.
type Operation string

// The operations that the emulator tells apart. Anything else is Unknown.
const (
	ListBuckets             Operation = "ListBuckets"
	HeadBucket              Operation = "HeadBucket"
	CreateBucket            Operation = "CreateBucket"
	DeleteBucket            Operation = "DeleteBucket"
	GetBucketLocation       Operation = "GetBucketLocation"
	GetBucketVersioning     Operation = "GetBucketVersioning"
	ListObjects             Operation = "ListObjects"
	ListObjectsV2           Operation = "ListObjectsV2"
	ListObjectVersions      Operation = "ListObjectVersions"
	GetObject               Operation = "GetObject"
	HeadObject              Operation = "HeadObject"
	PutObject               Operation = "PutObject"
	CopyObject              Operation = "CopyObject"
	DeleteObject            Operation = "DeleteObject"
	DeleteObjects           Operation = "DeleteObjects"
	GetObjectAttributes     Operation = "GetObjectAttributes"
	GetObjectTagging        Operation = "GetObjectTagging"
	PutObjectTagging        Operation = "PutObjectTagging"
	DeleteObjectTagging     Operation = "DeleteObjectTagging"
	CreateMultipartUpload   Operation = "CreateMultipartUpload"
	UploadPart              Operation = "UploadPart"
	UploadPartCopy          Operation = "UploadPartCopy"
	CompleteMultipartUpload Operation = "CompleteMultipartUpload"
	AbortMultipartUpload    Operation = "AbortMultipartUpload"
	ListParts               Operation = "ListParts"
	ListMultipartUploads    Operation = "ListMultipartUploads"
	AssumeRole              Operation = "AssumeRole"
	GetCallerIdentity       Operation = "GetCallerIdentity"
	Unknown                 Operation = "Unknown"
)

// sts says whether the operation belongs to STS.
func (o Operation) sts() bool { return o == AssumeRole || o == GetCallerIdentity }

// operationOf names the operation of an S3 request. STS requests are recognized
// before, by their form.
func operationOf(r *http.Request, bucket, key string, q url.Values) Operation {
	switch {
	case bucket == "":
		if r.Method == http.MethodGet {
			return ListBuckets
		}
		return Unknown
	case key == "":
		return bucketOperation(r.Method, q)
	default:
		return objectOperation(r, q)
	}
}

// bucketOperation names an operation on a bucket.
func bucketOperation(method string, q url.Values) Operation {
	if sub := subresource(q); sub != "" {
		return known(bucketSubresources, method, sub)
	}
	switch method {
	case http.MethodHead:
		return HeadBucket
	case http.MethodPut:
		return CreateBucket
	case http.MethodDelete:
		return DeleteBucket
	case http.MethodGet:
		if q.Get("list-type") == "2" {
			return ListObjectsV2
		}
		return ListObjects
	}
	return Unknown
}

// objectOperation names an operation on an object.
func objectOperation(r *http.Request, q url.Values) Operation {
	if sub := subresource(q); sub != "" {
		op := known(objectSubresources, r.Method, sub)
		if op == UploadPart && r.Header.Get("X-Amz-Copy-Source") != "" {
			return UploadPartCopy
		}
		return op
	}
	switch r.Method {
	case http.MethodGet:
		return GetObject
	case http.MethodHead:
		return HeadObject
	case http.MethodDelete:
		return DeleteObject
	case http.MethodPut:
		if r.Header.Get("X-Amz-Copy-Source") != "" {
			return CopyObject
		}
		return PutObject
	}
	return Unknown
}

var bucketSubresources = map[string]Operation{
	"GET location":   GetBucketLocation,
	"GET versioning": GetBucketVersioning,
	"GET versions":   ListObjectVersions,
	"GET uploads":    ListMultipartUploads,
	"POST delete":    DeleteObjects,
}

var objectSubresources = map[string]Operation{
	"GET attributes":  GetObjectAttributes,
	"GET tagging":     GetObjectTagging,
	"PUT tagging":     PutObjectTagging,
	"DELETE tagging":  DeleteObjectTagging,
	"POST uploads":    CreateMultipartUpload,
	"PUT uploadId":    UploadPart,
	"GET uploadId":    ListParts,
	"POST uploadId":   CompleteMultipartUpload,
	"DELETE uploadId": AbortMultipartUpload,
}

func known(table map[string]Operation, method, sub string) Operation {
	if op, ok := table[method+" "+sub]; ok {
		return op
	}
	return Unknown
}

// plainParameters are the query parameters that leave an operation what its
// method says. Every other one selects a sub-resource.
var plainParameters = map[string]bool{
	"list-type": true, "prefix": true, "delimiter": true, "max-keys": true,
	"start-after": true, "continuation-token": true, "marker": true,
	"encoding-type": true, "fetch-owner": true, "x-id": true, "versionId": true,
	"partNumber": true, "max-buckets": true, "bucket-region": true,
}

// subresource returns the query parameter that selects an operation.
func subresource(q url.Values) string {
	if q.Has("uploadId") {
		return "uploadId"
	}
	found := ""
	for name := range q {
		lower := strings.ToLower(name)
		if plainParameters[name] || strings.HasPrefix(lower, "x-amz-") || strings.HasPrefix(lower, "response-") {
			continue
		}
		if found == "" || name < found {
			found = name
		}
	}
	return found
}

// split takes the path of a request apart. The key is everything behind the
// bucket's slash, as it is: no cleaning, empty and dotted segments included.
func split(path string) (bucket, key string) {
	path = strings.TrimPrefix(path, "/")
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}
