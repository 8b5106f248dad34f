package gdrive_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"

	"golang.org/x/oauth2/google"
	"google.golang.org/api/drive/v3"
	"google.golang.org/api/option"

	"mooring/emulator/gdrive"
)

// A service account that impersonates a user follows the changes of a drive. A folder that
// goes to the trash is one change, whatever is in it.
func Example() {
	ctx := context.Background()
	srv := gdrive.New(gdrive.Options{}) // in a test: gdrive.Start(t)
	defer srv.Close()
	listener := httptest.NewServer(srv)
	defer listener.Close()
	srv.URL = listener.URL

	root := srv.User("ada@example.com")
	key := srv.ServiceAccount("robo@emulator.iam.gserviceaccount.com", "ada@example.com")
	folder := srv.Folder(root, "drafts")
	srv.File(folder, "letter.txt", []byte("Dear Charles"))

	cfg, err := google.JWTConfigFromJSON(key, drive.DriveReadonlyScope)
	if err != nil {
		log.Fatal(err)
	}
	cfg.Subject = "ada@example.com"
	client, err := drive.NewService(ctx, option.WithEndpoint(srv.API()), option.WithHTTPClient(cfg.Client(ctx)))
	if err != nil {
		log.Fatal(err)
	}
	start, err := client.Changes.GetStartPageToken().Do()
	if err != nil {
		log.Fatal(err)
	}
	srv.Trash(folder)
	srv.Inject(gdrive.Fault{Match: gdrive.On(gdrive.ChangesList), Nth: 1, Action: gdrive.RateLimited()})
	for range 2 {
		page, err := client.Changes.List(start.StartPageToken).Fields("changes(file(name,trashed))").Do()
		if err != nil {
			fmt.Println(err)
			continue
		}
		for _, c := range page.Changes {
			fmt.Println(c.File.Name, "trashed:", c.File.Trashed)
		}
	}
	for _, r := range srv.Requests() {
		fmt.Println(r.Operation, r.Status, r.Faults)
	}
	// Output:
	// googleapi: Error 403: User Rate Limit Exceeded, userRateLimitExceeded
	// drafts trashed: true
	// token 200 []
	// changes.getStartPageToken 200 []
	// changes.list 403 [Reply userRateLimitExceeded]
	// changes.list 200 []
}
