package main

import (
	"context"

	"mooring/internal/config"
	"mooring/internal/errs"
	"mooring/internal/sink"
	"mooring/internal/sink/dir"
	"mooring/internal/sink/s3"
)

// openDestinations opens what the operator has defined, by name. All processes on
// a store must see all of them.
func openDestinations(ctx context.Context, settings *config.Server) (map[string]sink.Destination, error) {
	out := map[string]sink.Destination{}
	for _, d := range settings.DestinationList() {
		if d.Path != "" && settings.Shared() && !settings.SharedDataDir {
			return nil, errs.New(errs.Invalid, "destination", "the destination "+d.Name+" is a folder, "+d.Path+", and several processes may work on the store:"+
				" if every one of them sees that folder, say so by --shared-data-dir; else define a destination of kind s3")
		}
		opened, err := openDestination(ctx, d)
		if err != nil {
			return nil, errs.Wrap(err, errs.Unavailable, "destination", "the destination "+d.Name+" can't be opened")
		}
		out[d.Name] = opened
	}
	return out, nil
}

func openDestination(ctx context.Context, d config.Destination) (sink.Destination, error) {
	if d.Path != "" {
		return dir.New(d.Path, dir.Options{})
	}
	o := s3.Options{Endpoint: d.Endpoint, VirtualHosted: d.VirtualHosted, Region: d.Region, Bucket: d.Bucket, Prefix: d.Prefix}
	if d.AccessKeyID != "" {
		o.Credentials = s3.Key(d.AccessKeyID, d.Secret)
		return s3.New(o)
	}
	var err error
	if o.Credentials, err = s3.Own(ctx, d.Region); err != nil {
		return nil, err
	}
	return s3.New(o)
}
