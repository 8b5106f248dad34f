// Package native measures what sealing and opening take beside libmongocrypt
// itself: compiled in, with its own cipher (OpenSSL), called from C. It needs cgo and the
// library's headers (Debian: libmongocrypt-dev), so that no target of the Makefile
// runs it:
//
//	CGO_ENABLED=1 go test -v -count=1 -tags libmongocrypt,minicore_disabled ./test/interop/csfle/native
package native
