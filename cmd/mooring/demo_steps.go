package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"mooring/emulator/s3"
	"mooring/internal/client"
	"mooring/internal/errs"
)

// steps is the main job: connect, sync, change one file, sync again.
func (d *demo) steps(ctx context.Context) error {
	conn, err := d.client.Do(ctx, http.MethodPost, "/v1/organizations/connections", nil, client.Object{
		"name": "demo storage", "provider_type": "s3", "provider_config": client.Object{
			"region": "us-east-1", "endpoint_url": d.s3.URL(),
			"credentials": client.Object{"type": "access_key", "access_key_id": d.key.ID, "secret_access_key": d.key.Secret},
		}})
	if err != nil {
		return err
	}
	d.say("connected %s is %s: tested, credentials sealed", conn["connection_id"], conn["status"])
	bucket, err := d.client.Do(ctx, http.MethodPost, "/v1/buckets", nil, client.Object{"bucket_name": "demo", "bucket_schema": client.Object{"properties": client.Object{}}})
	if err != nil {
		return err
	}
	b := fmt.Sprint(bucket["bucket_id"])
	sync, err := d.client.Do(ctx, http.MethodPost, client.Path("v1", "buckets", b, "syncs"), nil, client.Object{"connection_id": conn["connection_id"], "source_path": demoBucket})
	if err != nil {
		return err
	}
	s := fmt.Sprint(sync["sync_config_id"])
	d.say("\nfirst sync of %s", d.dir)
	number, err := d.pass(ctx, b, s, 0)
	if err != nil {
		return err
	}
	changed, err := d.change(ctx, b)
	if err != nil {
		return err
	}
	d.say("\nchanged %q at the storage (in an overlay; the file on disk is as it was), syncing again", printable(changed))
	if _, err := d.client.Do(ctx, http.MethodPost, client.Path("v1", "buckets", b, "syncs", s, "trigger"), nil, nil); err != nil {
		return err
	}
	if _, err := d.pass(ctx, b, s, number); err != nil {
		return err
	}
	return d.result(ctx, b, s)
}

// pass waits until a pass has ended and shows the ledger of each of its runs
// after the given number. It returns the number of the last.
func (d *demo) pass(ctx context.Context, b, s string, after int64) (int64, error) {
	for shown := after; ; {
		runs, err := d.client.Do(ctx, http.MethodGet, client.Path("v1", "buckets", b, "syncs", s, "runs"), nil, nil)
		if err != nil {
			return shown, err
		}
		list, _ := runs["results"].([]any)
		for i := len(list) - 1; i >= 0; i-- {
			run, _ := list[i].(client.Object)
			number := integer(run, "number")
			if number <= shown || lookup(run, "status") == "IN_PROGRESS" {
				continue
			}
			shown = number
			if err := d.showRun(run); err != nil {
				return shown, err
			}
			if ended, _ := run["pass_ended"].(bool); ended {
				return shown, nil
			}
		}
		select {
		case <-ctx.Done():
			return shown, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (d *demo) showRun(run client.Object) error {
	l, _ := run["ledger"].(client.Object)
	n := func(field string) int64 { return integer(l, field) }
	d.say("  run %d %s: discovered %d = synced %d + unchanged %d + filtered %d + duplicate %d + skipped %d + failed %d (%d bytes, %s s)",
		integer(run, "number"), lookup(run, "status"), n("discovered"), n("synced"), n("unchanged"), n("filtered"), n("duplicate"), n("skipped"), n("failed"),
		n("bytes"), lookup(run, "duration_seconds"))
	if sum := n("synced") + n("unchanged") + n("filtered") + n("duplicate") + n("skipped") + n("failed"); sum != n("discovered") {
		return errs.New(errs.Internal, "demo", "the ledger does not balance")
	}
	if lookup(run, "status") == "FAILED" {
		return errs.New(errs.Unavailable, "demo", "the run failed: "+lookup(run, "reason"))
	}
	return nil
}

// change writes new content over one object of the bucket, in the overlay.
func (d *demo) change(ctx context.Context, b string) (string, error) {
	objects, err := d.client.Do(ctx, http.MethodPost, client.Path("v1", "buckets", b, "objects", "list"), nil, nil)
	if err != nil {
		return "", err
	}
	name := "a new file.txt"
	if list, _ := objects["results"].([]any); len(list) > 0 {
		first, _ := list[0].(client.Object)
		name, _ = first["source_path"].(string)
	}
	content := "changed by the demonstration at " + time.Now().Format(time.RFC3339Nano) + "\n"
	return name, errs.Wrap(d.s3.Put(demoBucket, name, []byte(content), s3.PutOptions{ContentType: "text/plain"}), errs.Internal, "demo", "the overlay refused the change")
}

func (d *demo) result(ctx context.Context, b, s string) error {
	bucket, err := d.client.Do(ctx, http.MethodGet, client.Path("v1", "buckets", b), nil, nil)
	if err != nil {
		return err
	}
	org := lookup(bucket, "internal_id")
	server := filepath.Join(d.data, "server")
	n, size := lookup(bucket, "object_count"), lookup(bucket, "total_size_bytes")
	if d.once { // what is below d.data is removed now
		d.say("\n%s objects, %s bytes, each hashed and checked. Without --once the demonstration goes on, to be looked at.", n, size)
		return nil
	}
	d.say("\n%s objects, %s bytes, each hashed and checked, are in\n  %s", n, size, filepath.Join(server, "buckets", org, b))
	d.say("\nWhat to do next, in another terminal:")
	d.say("  export MOORING_DATA_DIR=%s MOORING_URL=%s", server, d.client.Base)
	d.say("  mooring bucket objects %s", b)
	d.say("  mooring sync get %s %s", b, s)
	d.say("  mooring sync verify %s %s", b, s)
	d.say("  mooring audit list")
	d.say("Then connect a storage of yours: mooring serve, and the tour in the README.")
	return nil
}

func integer(o client.Object, field string) int64 {
	n, ok := o[field].(interface{ Int64() (int64, error) })
	if !ok {
		return 0
	}
	v, _ := n.Int64()
	return v
}
