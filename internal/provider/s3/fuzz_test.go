package s3_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// FuzzAnswers: whatever a server answers, a listing ends with what the contract
// of a source allows or with the provider's error, and no text of the answer.
func FuzzAnswers(f *testing.F) {
	const listing = `<ListBucketResult><Name>data</Name><KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>1</Size><ETag>"x"</ETag><LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents></ListBucketResult>`
	for _, seed := range []string{
		listing, strings.Replace(listing, "false", "true", 1), strings.Replace(listing, "<Size>1", "<Size>-1", 1), strings.Replace(listing, "<Key>a", "<Key>", 1), strings.Replace(listing, "a</Key>", "&#0;</Key>", 1),
		`<Error><Code>SlowDown</Code><Message>wait</Message></Error>`, `<!DOCTYPE x [<!ENTITY a "aaaa">]><ListBucketResult>&a;</ListBucketResult>`, `<html>sign in</html>`, "", `<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>`, "\xef\xbb\xbf" + listing,
	} {
		f.Add(uint16(200), seed)
		f.Add(uint16(403), seed)
	}
	var status int
	var body string
	src, _ := fake(f, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	f.Fuzz(func(t *testing.T, code uint16, text string) {
		status, body = 200+int(code)%400, text
		if status == 304 || status == 204 || status >= 500 || status == 429 || status == 408 { // have no body, or are tried again
			status = 200
		}
		page, err := src.Changes(t.Context(), driver.Scope{Path: "data"}, nil)
		checkError(t, err)
		for _, c := range page.Changes {
			if c.Item.ID == "" || c.Item.Size < -1 || !strings.HasPrefix(c.Item.ID, "data/") {
				t.Fatalf("%s gives %+v", text, c.Item)
			}
		}
		if err == nil && page.More && page.Next == nil {
			t.Fatalf("%s gives a page without a next one", text)
		}
		_, err = src.Browse(t.Context(), "data", "", 10)
		checkError(t, err)
		_, err = src.Check(t.Context(), "data")
		checkError(t, err)
		r, err := src.Open(t.Context(), driver.Item{ID: "data/k", Size: -1}, 0)
		if checkError(t, err); err == nil {
			_, err = io.Copy(io.Discard, r)
			checkError(t, errors.Join(err, r.Close()))
		}
	})
}

// checkError wants what a provider is to blame for to be told as such.
func checkError(t *testing.T, err error) {
	t.Helper()
	if e := errs.From(err); err != nil && (e.Origin != errs.Provider || errs.KindOf(err) == errs.Internal) {
		t.Fatalf("a fault of ours: %v", err)
	}
}
