package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// onDisk fetches the small objects to a disk, where being durable costs something.
func onDisk(ctx context.Context, b *bench) (report string, err error) {
	disk, err := os.MkdirTemp(b.disk, "mooring-bench-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(disk)) }()
	set := dataSet{Name: "small", Count: b.small, Size: 4 << 10}
	from, stop, err := b.versitygw(ctx, set)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, stop()) }()
	from.Bucket = set.Name
	there, t := *b, newTable()
	there.to = filepath.Join(disk, "to")
	for n := range b.rounds {
		if err := there.round(ctx, n, t, b.without(fetchingTools()[:3]), set, from, "disk"); err != nil {
			return "", err
		}
	}
	return "## " + set.String() + " to a disk\n\nWhat mooring writes is on the disk when its time ends, what the others write is on its way there.\n\n" + t.rows("disk"), nil
}
