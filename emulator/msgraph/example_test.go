package msgraph_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"time"

	"mooring/emulator/msgraph"
)

// A client follows the changes of a library; it is throttled once, and one item
// changes between two pages.
func Example() {
	srv, err := msgraph.Listen("127.0.0.1:0", msgraph.Documented())
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	srv.App("contoso.example", "client", "secret")
	drive := srv.Drive(srv.Site("contoso.example", "contoso.sharepoint.com", "/teams/harbour"))
	docs := srv.Folder(drive, srv.Root(drive), "docs")
	plan := srv.File(drive, docs, "plan.txt", []byte("sail"))

	onDelta := msgraph.On(msgraph.Delta)
	srv.Inject(msgraph.Fault{Match: onDelta, Nth: 1, Action: msgraph.Throttle(time.Second)})
	srv.Inject(msgraph.Fault{Match: onDelta, Nth: 3, Action: msgraph.Run(func() { srv.Rename(drive, plan, "course.txt") })})

	token := srv.AccessToken("contoso.example", "client") // or ask srv.LoginURL() for one
	for link := srv.API() + "/drives/" + drive + "/root/delta?$top=2"; link != ""; {
		req, err := http.NewRequest(http.MethodGet, link, nil)
		if err != nil {
			log.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			log.Fatal(err)
		}
		var page struct {
			Value    []struct{ Name string }
			NextLink string `json:"@odata.nextLink"`
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		_ = resp.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		if after := resp.Header.Get("Retry-After"); after != "" {
			fmt.Println("wait", after, "s")
			continue
		}
		for _, item := range page.Value {
			fmt.Println(item.Name)
		}
		link = page.NextLink
	}
	for _, r := range srv.Requests() {
		fmt.Println(r.Operation, r.Status, r.Faults)
	}
	// Output:
	// wait 1 s
	// root
	// docs
	// course.txt
	// Delta 429 [Throttle]
	// Delta 200 []
	// Delta 200 [Run]
}
