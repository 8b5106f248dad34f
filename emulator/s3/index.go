package s3

import "sort"

// chunkSize bounds a chunk of the index: small enough that inserting moves
// little, large enough that there are few chunks.
const chunkSize = 1024

// index holds the objects of a bucket in byte order of their keys: a list of
// sorted chunks. Finding, inserting and removing take a binary search and move
// at most a chunk. The zero value is empty. It does no locking.
type index struct {
	chunks [][]*object // none is empty
	n      int
}

// locate returns the position of the first object whose key is not below key.
// Behind the last object it is (len(chunks), 0).
func (x *index) locate(key string) (chunk, pos int) {
	chunk = sort.Search(len(x.chunks), func(i int) bool {
		c := x.chunks[i]
		return c[len(c)-1].key >= key
	})
	if chunk == len(x.chunks) {
		return chunk, 0
	}
	c := x.chunks[chunk]
	return chunk, sort.Search(len(c), func(i int) bool { return c[i].key >= key })
}

// ceil returns the first object whose key is not below key, or nil.
func (x *index) ceil(key string) *object {
	i, j := x.locate(key)
	if i == len(x.chunks) {
		return nil
	}
	return x.chunks[i][j]
}

// get returns the object of a key, or nil.
func (x *index) get(key string) *object {
	if o := x.ceil(key); o != nil && o.key == key {
		return o
	}
	return nil
}

// set inserts an object or replaces the one with its key.
func (x *index) set(o *object) {
	i, j := x.locate(o.key)
	if i < len(x.chunks) && x.chunks[i][j].key == o.key {
		x.chunks[i][j] = o
		return
	}
	x.n++
	if i == len(x.chunks) { // behind everything: fill the last chunk up
		if i == 0 || len(x.chunks[i-1]) >= chunkSize {
			x.chunks = append(x.chunks, append(make([]*object, 0, chunkSize), o))
			return
		}
		x.chunks[i-1] = append(x.chunks[i-1], o)
		return
	}
	c := append(x.chunks[i], nil)
	copy(c[j+1:], c[j:])
	c[j] = o
	x.chunks[i] = c
	if len(c) > chunkSize {
		x.divide(i)
	}
}

// divide splits a chunk in two.
func (x *index) divide(i int) {
	c := x.chunks[i]
	half := len(c) / 2
	right := append(make([]*object, 0, chunkSize), c[half:]...)
	clear(c[half:])
	x.chunks = append(x.chunks, nil)
	copy(x.chunks[i+2:], x.chunks[i+1:])
	x.chunks[i], x.chunks[i+1] = c[:half], right
}

// remove takes the object of a key out and says whether there was one.
func (x *index) remove(key string) bool {
	i, j := x.locate(key)
	if i == len(x.chunks) || x.chunks[i][j].key != key {
		return false
	}
	x.n--
	c := x.chunks[i]
	copy(c[j:], c[j+1:])
	c[len(c)-1] = nil
	if c = c[:len(c)-1]; len(c) > 0 {
		x.chunks[i] = c
		return true
	}
	x.chunks = append(x.chunks[:i], x.chunks[i+1:]...)
	return true
}
