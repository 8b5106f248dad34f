package gdrive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/api/drive/v3"

	"mooring/emulator/gdrive"
)

// five is a server with five files, named by their numbers, and a client of it.
func five(t *testing.T) (*gdrive.Server, *drive.Service, []string) {
	t.Helper()
	s := gdrive.Start(t)
	root := s.User(ada)
	var ids []string
	for i := range 5 {
		ids = append(ids, s.File(root, fmt.Sprint(i), []byte("0123456789")))
	}
	return s, client(t, s, ada), ids
}

func TestFaultsOfLists(t *testing.T) {
	for name, tc := range map[string]struct {
		fault gdrive.Fault
		want  string
	}{
		"none":            {gdrive.Fault{}, "0 1 2 3 4"},
		"short pages":     {gdrive.Fault{Action: gdrive.ListAtMost(1)}, "0 1 2 3 4"},
		"cut off":         {gdrive.Fault{Nth: 2, Action: gdrive.ListCutOff(1)}, "0 1 2"},
		"an empty page":   {gdrive.Fault{Nth: 2, Action: gdrive.EmptyPage()}, "0 1 2 3 4"},
		"an empty start":  {gdrive.Fault{Times: 3, Action: gdrive.EmptyPage()}, "0 1 2 3 4"},
		"overlap":         {gdrive.Fault{Nth: 1, Action: gdrive.OverlapPages()}, "0 1 1 2 3 4"},
		"repeated":        {gdrive.Fault{Nth: 2, Action: gdrive.DuplicateEntries()}, "0 1 2 3 2 4"},
		"reverse":         {gdrive.Fault{Action: gdrive.ReverseOrder()}, "1 0 3 2 4"},
		"the second of 3": {gdrive.Fault{After: 1, Times: 1, Action: gdrive.ReverseOrder()}, "0 1 3 2 4"},
	} {
		t.Run(name, func(t *testing.T) {
			s, d, ids := five(t)
			tc.fault.Match = gdrive.On(gdrive.FilesList, gdrive.ChangesList)
			s.Inject(tc.fault)
			if got := strings.Join(names(t, d.Files.List().PageSize(2)), " "); got != tc.want {
				t.Errorf("the list is %s, want %s", got, tc.want)
			}
			s.ClearFaults()
			w := newWatch(t, s, ada, "")
			for _, id := range ids {
				s.Touch(id)
			}
			s.Inject(tc.fault)
			if got := strings.ReplaceAll(strings.Join(w.next(), " "), "+", ""); got != tc.want {
				t.Errorf("the log is %s, want %s", got, tc.want)
			}
			s.ClearFaults()
			w.expect("all that")
		})
	}
}

func TestIncompleteSearch(t *testing.T) {
	s, d, _ := five(t)
	s.Inject(gdrive.Fault{Nth: 2, Action: gdrive.IncompleteSearch()})
	for _, want := range []bool{false, true, false} {
		page, err := d.Files.List().Do()
		must(t, err)
		if page.IncompleteSearch != want {
			t.Errorf("incompleteSearch is %v", page.IncompleteSearch)
		}
	}
}

func TestFaultsThatAnswer(t *testing.T) {
	s, d, ids := five(t)
	for _, tc := range []struct {
		action gdrive.Action
		status int
		reason string
	}{
		{gdrive.RateLimited(), 403, "userRateLimitExceeded"}, {gdrive.TooManyRequests(time.Minute), 429, "rateLimitExceeded"},
		{gdrive.Unauthorized(), 401, "authError"}, {gdrive.Forbidden(), 403, "insufficientFilePermissions"}, {gdrive.NotFound(), 404, "notFound"},
		{gdrive.InternalError(), 500, "internalError"}, {gdrive.Unavailable(), 503, "backendError"}, {gdrive.InvalidPageToken(), 400, "invalid"},
		{gdrive.ReplyReason("downloadQuotaExceeded"), 403, "downloadQuotaExceeded"}, {gdrive.ReplyReason("domainPolicy"), 403, "domainPolicy"},
		{gdrive.Reply(gdrive.Error{Status: 418, Reason: "teapot"}), 418, "teapot"}, {gdrive.EchoCredentials(), 401, "authError"},
	} {
		i := s.Inject(gdrive.Fault{Match: gdrive.Match{File: ids[1]}, Times: 1, Action: tc.action})
		_, err := d.Files.Get(ids[0]).Do()
		must(t, err)
		_, err = d.Files.Get(ids[1]).Do()
		if status, why := reason(t, err); status != tc.status || why != tc.reason {
			t.Errorf("%d %s, want %d %s", status, why, tc.status, tc.reason)
		}
		if _, err = d.Files.Get(ids[1]).Do(); err != nil || i.Hits() != 1 || i.Seen() != 2 {
			t.Errorf("%s lasts: %v, %d of %d", tc.reason, err, i.Hits(), i.Seen())
		}
		i.Remove()
	}
	s.Inject(gdrive.Fault{Match: gdrive.On(gdrive.Token), Nth: 1, Action: gdrive.EchoCredentials()})
	status, answer := exchange(t, s, map[string][]string{"grant_type": {"refresh_token"}, "refresh_token": {"very-secret"}})
	if status != 400 || !strings.Contains(fmt.Sprint(answer), "very-secret") {
		t.Errorf("the token endpoint echoes %d %v", status, answer)
	}
}

func TestFaultsOfDownloads(t *testing.T) {
	s, d, ids := five(t)
	read := func(action gdrive.Action, header string) (string, int, error) {
		defer s.ClearFaults()
		s.Inject(gdrive.Fault{Match: gdrive.On(gdrive.FilesDownload), Action: action})
		call := d.Files.Get(ids[0])
		call.Header().Set("Range", header)
		resp, err := call.Download()
		if err != nil {
			return "", 0, err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return string(text), resp.StatusCode, err
	}
	if got, _, err := read(gdrive.ShortBody(4), ""); got != "0123" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short body is %q, %v", got, err)
	}
	if got, status, err := read(gdrive.ShortBody(1), "bytes=4-"); got != "4" || status != 206 || err == nil {
		t.Errorf("a short part is %q, %d, %v", got, status, err)
	}
	if got, _, err := read(gdrive.ShortBody(10), ""); got != "0123456789" || err != nil {
		t.Errorf("a body that is no longer is %q, %v", got, err)
	}
	if got, _, err := read(gdrive.ResetAfter(4), ""); len(got) > 4 || err == nil {
		t.Errorf("a reset gives %q, %v", got, err)
	}
	if got, _, err := read(gdrive.CorruptByte(3), ""); got != "0122456789" || err != nil {
		t.Errorf("a corrupt body is %q, %v", got, err)
	}
	if got, status, err := read(gdrive.IgnoreRange(), "bytes=4-"); got != "0123456789" || status != 200 || err != nil {
		t.Errorf("an ignored range gives %q, %d, %v", got, status, err)
	}
	if _, _, err := read(gdrive.Drop(), ""); err == nil {
		t.Error("a dropped connection gives no error")
	}

	before, err := d.Files.Get(ids[0]).Fields("headRevisionId,size").Do()
	must(t, err)
	got, _, err := read(gdrive.ChangeFirst(), "")
	if err != nil || got == "0123456789" || len(got) != 10 {
		t.Errorf("what changed before it was read is %q, %v", got, err)
	}
	after, err := d.Files.Get(ids[0]).Fields("headRevisionId,size").Do()
	must(t, err)
	if before.HeadRevisionId == after.HeadRevisionId || before.Size != after.Size {
		t.Errorf("it went from %+v to %+v", before, after)
	}
}

func TestFaultsMeetJSON(t *testing.T) {
	s, d, _ := five(t)
	s.Inject(gdrive.Fault{Match: gdrive.On(gdrive.FilesList), Nth: 1, Action: gdrive.ShortBody(20)})
	if _, err := d.Files.List().Do(); err == nil {
		t.Error("half a list is read")
	}
}

func TestTokensEndInTheMiddle(t *testing.T) {
	s, d, _ := five(t)
	s.Inject(gdrive.Fault{Match: gdrive.On(gdrive.FilesList), Nth: 2, Action: gdrive.ExpireTokens()})
	_, err := d.Files.List().Do()
	must(t, err)
	_, err = d.Files.List().Do()
	if status, _ := reason(t, err); status != 401 {
		t.Errorf("after the token has ended: %v", err)
	}
}

// A request that is held ends with its client, with the server, or when it is let go.
func TestHeldRequests(t *testing.T) {
	s, d, ids := five(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	s.Inject(gdrive.Fault{Match: gdrive.Match{File: ids[0]}, Action: gdrive.Do(gdrive.Run(func() { close(arrived) }), gdrive.Wait(release)), Times: 1})
	answered := make(chan error, 1)
	go func() {
		_, err := d.Files.Get(ids[0]).Do()
		answered <- err
	}()
	<-arrived
	select {
	case err := <-answered:
		t.Fatalf("it is answered at once: %v", err)
	default:
	}
	close(release)
	must(t, <-answered)

	ctx, cancel := context.WithCancel(t.Context())
	s.Inject(gdrive.Fault{Action: gdrive.Do(gdrive.Run(cancel), gdrive.Delay(time.Hour)), Times: 1})
	if _, err := d.Files.Get(ids[0]).Context(ctx).Do(); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that gives up sees %v", err)
	}
	s.Inject(gdrive.Fault{Action: gdrive.Do(gdrive.Run(func() { go s.Close() }), gdrive.Wait(nil))})
	if _, err := d.Files.Get(ids[0]).Do(); err == nil {
		t.Error("a closed server answers")
	}
}

// Of concurrent requests exactly as many meet a fault as it says.
func TestFaultsAreCounted(t *testing.T) {
	s, d, ids := five(t)
	i := s.Inject(gdrive.Fault{Match: gdrive.Match{User: ada, If: func(r gdrive.Request) bool { return r.File == ids[2] }}, After: 3, Times: 4, Action: gdrive.RateLimited()})
	var wg sync.WaitGroup
	var mu sync.Mutex
	failed := 0
	for range 20 {
		wg.Go(func() {
			if _, err := d.Files.Get(ids[2]).Do(); err != nil {
				mu.Lock()
				failed++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if failed != 4 || i.Hits() != 4 || i.Seen() != 20 {
		t.Errorf("%d failed, %d of %d met it", failed, i.Hits(), i.Seen())
	}
}

func TestTheLog(t *testing.T) {
	s, d, ids := five(t)
	s.Inject(gdrive.Fault{Match: gdrive.On(gdrive.FilesDownload), Nth: 1, Action: gdrive.RateLimited()})
	resp, err := d.Files.Get(ids[0]).Download()
	refusal(t, resp, err)
	call := d.Files.Get(ids[0])
	call.Header().Set("Range", "bytes=2-")
	resp, err = call.Download()
	body(t, resp, err)
	_ = names(t, d.Files.List().Q("trashed = false"))
	log := s.Requests()
	if len(log) != 3 || s.Count() != 3 || s.Count(gdrive.FilesDownload) != 2 || s.Count(gdrive.FilesGet) != 0 {
		t.Fatalf("the log is %+v", log)
	}
	refused, part, list := log[0], log[1], log[2]
	if refused.Status != 403 || refused.Reason != "userRateLimitExceeded" || !slices.Equal(refused.Faults, []string{"Reply userRateLimitExceeded"}) || refused.User != ada {
		t.Errorf("the first request is %+v", refused)
	}
	if part.Status != http.StatusPartialContent || part.Range != "bytes=2-" || part.Bytes != 8 || part.File != ids[0] {
		t.Errorf("the second request is %+v", part)
	}
	if list.Operation != gdrive.FilesList || list.Query.Get("q") != "trashed = false" {
		t.Errorf("the third request is %+v", list)
	}
	s.ResetRequests()
	if s.Count() != 0 || len(s.Requests()) != 0 {
		t.Error("the log is not empty")
	}
	for range 3 {
		_ = names(t, d.Files.List())
	}
	if s := gdrive.Start(t, gdrive.Options{LogSize: 2}); s != nil {
		d := client(t, s, ada)
		for range 5 {
			_ = names(t, d.Files.List())
		}
		if log := s.Requests(); len(log) != 2 || log[1].Seq != 5 || s.Count() != 5 {
			t.Errorf("a log of two is %+v", log)
		}
	}
}
