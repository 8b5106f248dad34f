package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	emulator "mooring/emulator/s3"
)

// dataSet is a bucket of objects of one size.
type dataSet struct {
	Name      string
	Count     int
	Size      int
	Generated bool // by the emulator
}

func (s dataSet) String() string {
	if s.Count == 1 {
		return "one object of " + size(s.Size)
	}
	return fmt.Sprintf("%d objects of %s", s.Count, size(s.Size))
}

func size(n int) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// key spreads objects over folders of a hundred, in the order of their numbers.
func (s dataSet) key(i int) string { return fmt.Sprintf("data/%06d/%08d.bin", i/100, i) }

// content differs from object to object and can't be compressed.
func (s dataSet) content(i int) []byte {
	if s.Generated {
		return s.synthetic().Content(i)
	}
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], uint64(i)+1)
	copy(seed[8:], s.Name)
	b := make([]byte, s.Size)
	_, _ = rand.NewChaCha8(seed).Read(b)
	return b
}

func (s dataSet) synthetic() emulator.Synthetic {
	return emulator.Synthetic{Keys: s.Count, Size: int64(s.Size), Key: s.key}
}

const uploads = 16

func (s dataSet) upload(ctx context.Context, to remote) error {
	c := s3.New(s3.Options{
		BaseEndpoint: aws.String(to.URL), Region: to.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(to.AccessKey, to.SecretKey, ""),
	})
	if _, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(s.Name)}); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	for i := range s.Count {
		group.Go(func() error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(s.Name), Key: aws.String(s.key(i)), Body: bytes.NewReader(s.content(i))})
			return err
		})
	}
	return group.Wait()
}

// lay writes a data set as files, as a tool that fetches it does.
func (s dataSet) lay(root string) error {
	folder := ""
	for i := range s.Count {
		file := filepath.Join(root, filepath.FromSlash(s.key(i)))
		if dir := filepath.Dir(file); dir != folder {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
			folder = dir
		}
		if err := os.WriteFile(file, s.content(i), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// mostRead bounds the bytes whose content is proven.
const mostRead = 512 << 20

// check proves that a tool has brought a data set: every file's size, and their
// content: of all that fit the bound, else of some, evenly.
func (s dataSet) check(root string) error {
	found, bytesFound := 0, int64(0)
	err := filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			found++
			bytesFound += info.Size()
		}
		return err
	})
	if err != nil {
		return err
	}
	if found != s.Count || bytesFound != int64(s.Count)*int64(s.Size) {
		return fmt.Errorf("%d files and %d bytes arrived of %s", found, bytesFound, s)
	}
	for i := 0; i < s.Count; i += max(1, s.Count*s.Size/mostRead) {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(s.key(i))))
		if err != nil {
			return err
		}
		if sha256.Sum256(got) != sha256.Sum256(s.content(i)) {
			return fmt.Errorf("%s arrived with another content", s.key(i))
		}
	}
	return nil
}
