//go:build !unix

package sqlite

func syncDir(string) error { return nil }
