package msgraph

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkDeltaPage asks for pages of a thousand items of a drive of 100,000.
func BenchmarkDeltaPage(b *testing.B) {
	s := New(Documented())
	s.App("t", "app", "secret")
	drive := s.Drive(s.Site("t", "h", "/x"))
	root := s.Root(drive)
	for i := range 100_000 {
		s.Generated(drive, root, fmt.Sprintf("file-%06d", i), int64(i), 10)
	}
	token := s.AccessToken("t", "app")
	for b.Loop() {
		r := httptest.NewRequest(http.MethodGet, "/v1.0/drives/"+drive+"/root/delta?$top=1000", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body.String())
		}
	}
}
