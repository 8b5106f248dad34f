package csfle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"mooring/internal/errs"
)

// CreateLocalMasterKey generates a master key and keeps it in a new file: 96
// raw bytes, mode 0600. When it returns, file and directory entry are on
// stable storage (the latter on Unix). A file that exists is errs.AlreadyExists
// and is left alone; after any other failure there is no file.
func CreateLocalMasterKey(path string) (_ *LocalMasterKey, err error) {
	const op = "csfle.create_master_key"
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, errs.New(errs.AlreadyExists, op, "the master key file "+path+" exists")
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, op, "the master key file can't be created")
	}
	key := newKeyBytes()
	defer clear(key)
	_, werr := f.Write(key)
	if err := errors.Join(werr, f.Sync(), f.Close(), syncDir(filepath.Dir(path))); err != nil {
		_ = os.Remove(path)
		return nil, errs.Wrap(err, errs.Unavailable, op, "the master key file can't be written")
	}
	return NewLocalMasterKey(key)
}

// LoadLocalMasterKey reads a master key from a file of exactly 96 raw bytes.
// On Unix the file must give no permission to group or others. A missing file
// is errs.NotFound, an unreadable one errs.Unavailable, and one of another
// size or mode errs.Invalid.
func LoadLocalMasterKey(path string) (*LocalMasterKey, error) {
	const op = "csfle.load_master_key"
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errs.New(errs.NotFound, op, "there is no master key file "+path)
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, op, "the master key file can't be opened")
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, op, "the master key file can't be examined")
	}
	if !info.Mode().IsRegular() {
		return nil, errs.New(errs.Invalid, op, path+" is not a regular file")
	}
	if tooOpen(info.Mode()) {
		return nil, errs.New(errs.Invalid, op, fmt.Sprintf("the master key file %s has mode %04o, so others may use it: run chmod 600 on it", path, info.Mode().Perm()))
	}
	key, err := readKey(f)
	defer clear(key)
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, op, "the master key file can't be read")
	}
	if len(key) != keySize {
		return nil, errs.New(errs.Invalid, op, fmt.Sprintf("the master key file %s must hold exactly %d bytes, not %d", path, keySize, info.Size()))
	}
	return NewLocalMasterKey(key)
}

// readKey reads at most one byte more than a key, into memory that does not move.
func readKey(r io.Reader) ([]byte, error) {
	buf := make([]byte, keySize+1)
	n, err := io.ReadFull(r, buf)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return buf[:n], err
}
