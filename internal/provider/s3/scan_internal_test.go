package s3

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
)

const (
	listHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>data</Name><Prefix>a/</Prefix>` +
		`<MaxKeys>1000</MaxKeys><KeyCount>1</KeyCount><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;u</NextContinuationToken>`
	listEntry = `<Contents><Key>a/%d</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag>` +
		`<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><Size>12</Size><Owner><ID>x</ID><DisplayName>y</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>`
	listTail = `</ListBucketResult>`
)

func listOf(n int) []byte {
	var b bytes.Buffer
	b.WriteString(listHead)
	for i := range n {
		fmt.Fprintf(&b, listEntry, i)
	}
	b.WriteString(listTail)
	return b.Bytes()
}

// answering is a client whose server always answers the same.
type answering struct{ body io.Reader }

func (a answering) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(a.body)}, nil
}

func decodeBy(tb testing.TB, body io.Reader, o ...func(*sdk.Options)) (*sdk.ListObjectsV2Output, error) {
	c := sdk.New(sdk.Options{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""), HTTPClient: answering{body}, Retryer: aws.NopRetryer{}})
	out, err := c.ListObjectsV2(tb.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String("data")}, o...)
	if out != nil {
		out.ResultMetadata = middleware.Metadata{}
	}
	return out, err
}

// FuzzScan: what scanList takes, it reads as the SDK does, in all that a listing
// uses, and what it leaves the SDK reads from the beginning.
func FuzzScan(f *testing.F) {
	page := string(listOf(2))
	f.Add(page)
	for _, change := range [][2]string{
		{`<?xml version="1.0" encoding="UTF-8"?>` + "\n", ""}, {`encoding="UTF-8"`, `encoding="latin1"`}, {"&quot;", "&#34;"}, {"&quot;", "&amp;quot;"},
		{"&quot;", "&#x22;"}, {"&quot;", "&bad;"}, {"<Key>a/0", "<Key>a/\u00e4"}, {"<Key>a/0", "<Key>"}, {"<Key>a/0</Key>", "<Key/>"}, {"<Key>", "<key>"}, {"<Size>12", "<Size>x"},
		{"<Size>12</Size>", ""}, {"true", "1"}, {"<Contents>", "<Contents><!-- -->"}, {"</Contents>", "</Content>"}, {"</ListBucketResult>", ""}, {"ListBucketResult", "Other"},
		{"<Prefix>a/</Prefix>", "<Prefix></Prefix>"}, {"<Prefix>a/", "<Prefix>&"}, {"<Prefix>", "<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes><Prefix>"}, {"03:04:05.678Z", "03:04:05Z"},
		{"<Key>a", "<Key>]]>a"}, {"<Key>a", "<Key><![CDATA[a]]>"}, {"<Name>data</Name>", "<Name>data</Name>\n  "}, {"</ListBucketResult>", "</ListBucketResult>rest"}, {"<Size>12", "<Size> 12"},
	} {
		f.Add(strings.ReplaceAll(page, change[0], change[1]))
	}
	f.Fuzz(func(t *testing.T, body string) {
		want, wantErr := decodeBy(t, strings.NewReader(body))
		got, err := decodeBy(t, strings.NewReader(body), scanning)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, the SDK says %v", body, err, wantErr)
		}
		if err != nil {
			return
		}
		for _, out := range []*sdk.ListObjectsV2Output{want, got} {
			out.Prefix, out.Delimiter, out.StartAfter, out.ContinuationToken, out.KeyCount, out.Contents = nil, nil, nil, nil, nil, append([]types.Object(nil), out.Contents...)
			for i := range out.Contents {
				out.Contents[i].Owner, out.Contents[i].ChecksumType, out.Contents[i].ChecksumAlgorithm = nil, "", nil
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q:\n%+v\nthe SDK reads\n%+v", body, got, want)
		}
	})
}

// What servers send is not left to the SDK.
func TestScanTakesWhatServersSend(t *testing.T) {
	for name, body := range map[string]string{
		"Amazon's": string(listOf(3)), "Go's": strings.ReplaceAll(string(listOf(3)), "&quot;", "&#34;"), "an empty one": string(listOf(0)),
		"one indented": strings.ReplaceAll(string(listOf(1)), "><", ">\n  <"),
	} {
		if scanList([]byte(body)) == nil {
			t.Errorf("%s page is left to the SDK: %s", name, body)
		}
	}
}

// A body that breaks off, or is longer than what is held, is the SDK's as well.
func TestScanLeavesBodies(t *testing.T) {
	half := listOf(1000)[:50_000]
	if _, err := decodeBy(t, io.MultiReader(bytes.NewReader(half), broken{io.ErrUnexpectedEOF}), scanning); err == nil {
		t.Error("a page that breaks off is one")
	}
	const many = 20_000
	out, err := decodeBy(t, bytes.NewReader(listOf(many)), scanning)
	if err != nil || len(out.Contents) != many || aws.ToString(out.Contents[many-1].Key) != fmt.Sprintf("a/%d", many-1) {
		t.Errorf("a large page: %v", err)
	}
}

// BenchmarkListDecode reads a page of a thousand keys.
func BenchmarkListDecode(b *testing.B) {
	body := listOf(1000)
	for name, o := range map[string]func(*sdk.Options){"scan": scanning, "sdk": func(*sdk.Options) {}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := decodeBy(b, bytes.NewReader(body), o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
