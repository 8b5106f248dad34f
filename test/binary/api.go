package binary

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Object is a decoded JSON object; its numbers are json.Number.
type Object = map[string]any

// API calls a server over HTTP with a key.
type API struct {
	URL, Key string
	Seen     func([]byte) // gets every answer, headers included; may be nil
}

// Answer is what a request gave.
type Answer struct {
	Status int
	Header http.Header
	Raw    []byte
	Object Object // nil where the body is no JSON object
}

// Path joins escaped segments below /v1.
func Path(segments ...string) string {
	p := "/v1"
	for _, s := range segments {
		p += "/" + url.PathEscape(s)
	}
	return p
}

// Do sends a request. A body of []byte goes as it is, any other as JSON.
func (a API) Do(ctx context.Context, method, path string, body any) (Answer, error) {
	var payload io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		payload = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			return Answer{}, err
		}
		payload = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.URL+path, payload)
	if err != nil {
		return Answer{}, err
	}
	if a.Key != "" {
		req.Header.Set("Authorization", "Bearer "+a.Key)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	out := Answer{Status: res.StatusCode, Header: res.Header}
	if out.Raw, err = io.ReadAll(res.Body); err != nil {
		return out, err
	}
	if a.Seen != nil {
		a.Seen(fmt.Appendf(nil, "%v\n%s\n", res.Header, out.Raw))
	}
	dec := json.NewDecoder(bytes.NewReader(out.Raw))
	dec.UseNumber()
	_ = dec.Decode(&out.Object)
	return out, nil
}

// Want is Do for requests that must succeed.
func (a API) Want(ctx context.Context, method, path string, body any) (Object, error) {
	out, err := a.Do(ctx, method, path, body)
	if err == nil && out.Status/100 != 2 {
		err = fmt.Errorf("%s %s: %d %s", method, path, out.Status, out.Raw)
	}
	return out.Object, err
}

// S3 says how to connect to an S3 server with an access key.
type S3 struct {
	Endpoint, Region, KeyID, Secret, SessionToken string
}

// Config is the provider_config.
func (s S3) Config() Object {
	credentials := Object{"type": "access_key", "access_key_id": s.KeyID, "secret_access_key": s.Secret}
	if s.SessionToken != "" {
		credentials["session_token"] = s.SessionToken
	}
	return Object{"region": s.Region, "endpoint_url": s.Endpoint, "credentials": credentials}
}

// Connect makes a connection and returns its id.
func (a API) Connect(ctx context.Context, name string, s S3) (string, error) {
	out, err := a.Want(ctx, http.MethodPost, "/v1/organizations/connections", Object{"name": name, "provider_type": "s3", "provider_config": s.Config()})
	return Text(out, "connection_id"), err
}

// Bucket makes a bucket and returns its id.
func (a API) Bucket(ctx context.Context, name string) (string, error) {
	out, err := a.Want(ctx, http.MethodPost, "/v1/buckets", Object{"bucket_name": name, "bucket_schema": Object{"properties": Object{}}})
	return Text(out, "bucket_id"), err
}

// Sync makes a sync and returns its id. more may hold further fields.
func (a API) Sync(ctx context.Context, bucket, connection, path string, more Object) (string, error) {
	body := Object{"connection_id": connection, "source_path": path}
	for k, v := range more {
		body[k] = v
	}
	out, err := a.Want(ctx, http.MethodPost, Path("buckets", bucket, "syncs"), body)
	return Text(out, "sync_config_id"), err
}

// List reads all pages of a list.
func (a API) List(ctx context.Context, method, path string, body any) ([]Object, error) {
	var all []Object
	for cursor := ""; ; {
		out, err := a.Want(ctx, method, path+"?limit=1000&cursor="+url.QueryEscape(cursor), body)
		if err != nil {
			return nil, err
		}
		results, _ := out["results"].([]any)
		for _, r := range results {
			o, _ := r.(Object)
			all = append(all, o)
		}
		page, _ := out["pagination"].(Object)
		if cursor = Text(page, "next_cursor"); cursor == "" {
			return all, nil
		}
	}
}

// Objects lists what a bucket holds.
func (a API) Objects(ctx context.Context, bucket string) ([]Object, error) {
	return a.List(ctx, http.MethodPost, Path("buckets", bucket, "objects", "list"), Object{})
}

// Runs lists a sync's runs, oldest first.
func (a API) Runs(ctx context.Context, bucket, sync string) ([]Object, error) {
	runs, err := a.List(ctx, http.MethodGet, Path("buckets", bucket, "syncs", sync, "runs"), nil)
	for i, j := 0, len(runs)-1; i < j; i, j = i+1, j-1 {
		runs[i], runs[j] = runs[j], runs[i]
	}
	return runs, err
}

// Trigger asks for a run now.
func (a API) Trigger(ctx context.Context, bucket, sync string) error {
	_, err := a.Want(ctx, http.MethodPost, Path("buckets", bucket, "syncs", sync, "trigger"), nil)
	return err
}

// poll is how often a condition is looked at.
const poll = 20 * time.Millisecond

// Until looks at a condition until it holds, errs, or ctx ends.
func Until(ctx context.Context, what string, holds func() (bool, error)) error {
	for {
		ok, err := holds()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, context.Cause(ctx))
		case <-time.After(poll):
		}
	}
}

// WaitPass waits until a run with a number above `after` has ended its pass and
// returns that run. A run that failed is an error.
func (a API) WaitPass(ctx context.Context, bucket, sync string, after int64) (last Object, err error) {
	err = Until(ctx, "a pass has ended", func() (bool, error) {
		runs, err := a.Runs(ctx, bucket, sync)
		if err != nil {
			return false, err
		}
		for _, r := range runs {
			if Int(r, "number") <= after {
				continue
			}
			if Text(r, "status") == "FAILED" {
				return false, fmt.Errorf("run %d failed: %s", Int(r, "number"), Text(r, "reason"))
			}
			if r["pass_ended"] == true {
				last = r
				return true, nil
			}
		}
		return false, nil
	})
	return last, err
}

// Text is a text field, "" where it is missing.
func Text(o Object, field string) string {
	s, _ := o[field].(string)
	return s
}

// Int is an integer field, 0 where it is missing.
func Int(o Object, field string) int64 {
	n, _ := o[field].(json.Number)
	v, _ := n.Int64()
	return v
}

// Ledger is the ledger of a run.
func Ledger(run Object) map[string]int64 {
	l, _ := run["ledger"].(Object)
	out := map[string]int64{}
	for k := range l {
		out[k] = Int(l, k)
	}
	return out
}

// Balanced reports whether a run's ledger adds up.
func Balanced(run Object) bool {
	l := Ledger(run)
	return len(l) > 0 && l["discovered"] == l["synced"]+l["unchanged"]+l["filtered"]+l["duplicate"]+l["skipped"]+l["failed"]
}
