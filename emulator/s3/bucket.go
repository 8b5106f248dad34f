package s3

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// bucket holds objects: those written here, over those of a layer below that is
// only ever read (a directory, generated keys), where there is one.
type bucket struct {
	name    string
	region  string
	created time.Time
	base    base // nil for an ordinary bucket

	mu      sync.RWMutex
	objects index
}

// base is the layer below a bucket's own objects.
type base interface {
	// scan begins to read. What a scan has seen it may remember, so it is kept
	// for one page only.
	scan() scan
	close() error
}

// scan finds keys in byte order.
type scan interface {
	// ceil returns the first object whose key is not below key, nil at the end.
	ceil(key string) (*object, error)
}

// scan begins to read the bucket as a whole.
func (b *bucket) scan() scan {
	l := &layers{b: b}
	if b.base != nil {
		l.below = b.base.scan()
	}
	return l
}

// layers merges a bucket's own objects with those below.
type layers struct {
	b     *bucket
	below scan
}

func (l *layers) ceil(key string) (*object, error) {
	for {
		l.b.mu.RLock()
		upper := l.b.objects.ceil(key)
		l.b.mu.RUnlock()
		if l.below == nil {
			return upper, nil
		}
		lower, err := l.below.ceil(key)
		if err != nil {
			return nil, err
		}
		if upper == nil || lower != nil && lower.key < upper.key {
			return lower, nil
		}
		if !upper.deleted {
			return upper, nil
		}
		key = upper.key + "\x00"
	}
}

// get returns the object of a key, or nil.
func (b *bucket) get(key string) (*object, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.getLocked(key)
}

func (b *bucket) getLocked(key string) (*object, error) {
	if o := b.objects.get(key); o != nil {
		if o.deleted {
			return nil, nil
		}
		return o, nil
	}
	if b.base == nil {
		return nil, nil
	}
	o, err := b.base.scan().ceil(key)
	if err != nil || o == nil || o.key != key {
		return nil, err
	}
	return o, nil
}

// update replaces the object of a key by what change returns for it; nil takes
// it out. Nothing else writes meanwhile.
func (b *bucket) update(key string, change func(old *object) (*object, error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, err := b.getLocked(key)
	if err != nil {
		return err
	}
	o, err := change(old)
	switch {
	case err != nil:
		return err
	case o != nil:
		o.key = strings.Clone(key)
		b.objects.set(o)
	case b.base != nil:
		b.objects.set(&object{key: key, deleted: true, attributes: plain})
	default:
		b.objects.remove(key)
	}
	return nil
}

// bucket returns a bucket, or the error that it does not exist.
func (s *Server) bucket(name string) (*bucket, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.buckets[name]
	if b == nil {
		return nil, failure("NoSuchBucket", Element{"BucketName", name})
	}
	return b, nil
}

// addBucket adds a bucket; an existing one is an error.
func (s *Server) addBucket(b *bucket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[b.name] != nil {
		return &Error{Status: 409, Code: "BucketAlreadyOwnedByYou", Message: "Your previous request to create the named bucket succeeded and you already own it."}
	}
	if b.region == "" {
		b.region = s.opts.Region
	}
	b.created = s.now()
	s.buckets[b.name] = b
	return nil
}

// bucketList returns all buckets by name.
func (s *Server) bucketList() []*bucket {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*bucket, 0, len(s.buckets))
	for _, b := range s.buckets {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b *bucket) int { return strings.Compare(a.name, b.name) })
	return out
}
