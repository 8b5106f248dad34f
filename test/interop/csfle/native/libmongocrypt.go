//go:build cgo && libmongocrypt

package native

/*
#cgo pkg-config: libmongocrypt
#include <mongocrypt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static mongocrypt_binary_t *bin(void *p, uint32_t n) { return mongocrypt_binary_new_from_data(p, n); }

static mongocrypt_t *begin(void *master, uint32_t n) {
	mongocrypt_t *m = mongocrypt_new();
	mongocrypt_binary_t *b = bin(master, n);
	bool ok = mongocrypt_setopt_kms_provider_local(m, b) && mongocrypt_init(m);
	mongocrypt_binary_destroy(b);
	if (!ok) { mongocrypt_destroy(m); return NULL; }
	return m;
}

// finish gives a context the data key if it wants it, and its result to *out, if that is not NULL.
static bool finish(mongocrypt_ctx_t *c, void *key, uint32_t nkey, uint8_t *out, uint32_t *nout) {
	bool ok = true;
	if (mongocrypt_ctx_state(c) == MONGOCRYPT_CTX_NEED_MONGO_KEYS) {
		mongocrypt_binary_t *b = bin(key, nkey);
		ok = mongocrypt_ctx_mongo_feed(c, b) && mongocrypt_ctx_mongo_done(c);
		mongocrypt_binary_destroy(b);
	}
	mongocrypt_binary_t *r = mongocrypt_binary_new();
	ok = ok && mongocrypt_ctx_state(c) == MONGOCRYPT_CTX_READY && mongocrypt_ctx_finalize(c, r);
	if (ok && out) {
		*nout = mongocrypt_binary_len(r);
		memcpy(out, mongocrypt_binary_data(r), *nout);
	}
	mongocrypt_binary_destroy(r);
	return ok;
}

// seal seals the document {v: …} n times under the key of an id.
static bool seal(mongocrypt_t *m, void *id, void *key, uint32_t nkey, void *doc, uint32_t ndoc, int n, uint8_t *out, uint32_t *nout) {
	bool ok = true;
	while (ok && n--) {
		mongocrypt_ctx_t *c = mongocrypt_ctx_new(m);
		mongocrypt_binary_t *i = bin(id, 16), *d = bin(doc, ndoc);
		ok = mongocrypt_ctx_setopt_key_id(c, i) &&
			mongocrypt_ctx_setopt_algorithm(c, "AEAD_AES_256_CBC_HMAC_SHA_512-Random", -1) &&
			mongocrypt_ctx_explicit_encrypt_init(c, d) && finish(c, key, nkey, out, nout);
		mongocrypt_binary_destroy(i);
		mongocrypt_binary_destroy(d);
		mongocrypt_ctx_destroy(c);
	}
	return ok;
}

// unseal opens a sealed document n times.
static bool unseal(mongocrypt_t *m, void *key, uint32_t nkey, void *doc, uint32_t ndoc, int n, uint8_t *out, uint32_t *nout) {
	bool ok = true;
	while (ok && n--) {
		mongocrypt_ctx_t *c = mongocrypt_ctx_new(m);
		mongocrypt_binary_t *d = bin(doc, ndoc);
		ok = mongocrypt_ctx_explicit_decrypt_init(c, d) && finish(c, key, nkey, out, nout);
		mongocrypt_binary_destroy(d);
		mongocrypt_ctx_destroy(c);
	}
	return ok;
}
*/
import "C"

import (
	"errors"
	"unsafe"
)

var errLibrary = errors.New("libmongocrypt refused")

// library is libmongocrypt with a local master key and one data key.
type library struct {
	crypt   *C.mongocrypt_t
	id, key []byte
}

// libraryVersion is that of the library that is linked.
func libraryVersion() string { return C.GoString(C.mongocrypt_version(nil)) }

func newLibrary(master, id, key []byte) (*library, error) {
	p := C.CBytes(master)
	defer C.free(p)
	l := &library{C.begin(p, C.uint32_t(len(master))), id, key}
	if l.crypt == nil {
		return nil, errLibrary
	}
	return l, nil
}

func (l *library) close() { C.mongocrypt_destroy(l.crypt) }

// seal seals a document {v: …} n times and returns the last result.
func (l *library) seal(doc []byte, n int) ([]byte, error) {
	out := make([]byte, 2*len(doc)+1024)
	var size C.uint32_t
	ok := C.seal(l.crypt, at(l.id), at(l.key), length(l.key), at(doc), length(doc), C.int(n), (*C.uint8_t)(at(out)), &size)
	return result(bool(ok), out, size)
}

// open opens a sealed document n times and returns the last result.
func (l *library) open(doc []byte, n int) ([]byte, error) {
	out := make([]byte, 2*len(doc)+1024)
	var size C.uint32_t
	ok := C.unseal(l.crypt, at(l.key), length(l.key), at(doc), length(doc), C.int(n), (*C.uint8_t)(at(out)), &size)
	return result(bool(ok), out, size)
}

func result(ok bool, out []byte, size C.uint32_t) ([]byte, error) {
	if !ok {
		return nil, errLibrary
	}
	return out[:size], nil
}

func at(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

func length(b []byte) C.uint32_t { return C.uint32_t(len(b)) }
