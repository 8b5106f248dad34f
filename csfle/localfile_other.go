//go:build !unix

package csfle

import "io/fs"

// tooOpen is always false: file modes say nothing here. Access lists are the operator's.
func tooOpen(fs.FileMode) bool { return false }

// syncDir does nothing: directories can't be synced here.
func syncDir(string) error { return nil }
