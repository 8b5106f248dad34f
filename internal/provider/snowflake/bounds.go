package snowflake

import (
	"bufio"
	"compress/gzip"
	"io"
	"net/http"

	"mooring/internal/errs"
	"mooring/internal/outbound"
)

// maxAnswer bounds one answer, unpacked: the driver reads each whole. Snowflake
// cuts results into chunks of 160 MB at most. Only tests change it.
var maxAnswer int64 = 256 << 20

var errTooLarge = &errs.Error{Kind: errs.Corrupt, Origin: errs.Provider, Scope: errs.ScopePath, Msg: "the answer is far larger than one of Snowflake"}

// elsewhere says why the driver must not follow where an answer leads: it would
// send a password, or what a result is encrypted with, to another site.
func elsewhere(r *http.Response) *errs.Error {
	if r.StatusCode < 300 || r.StatusCode > 399 || r.Request == nil {
		return nil
	}
	to, err := r.Location()
	followed := err == nil // else there is no place to go to
	if !followed || outbound.SameOrigin(to, r.Request.URL) {
		return nil
	}
	return &errs.Error{
		Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopeConnection, Code: "Redirect",
		Msg: "Snowflake's host redirects to another one, which is not followed: check account",
	}
}

// inTheOpen says why a request must not be made: what was begun encrypted goes
// on so, wherever the parts of a result are said to be.
func (w wire) inTheOpen(q *http.Request) *errs.Error {
	if !w.tls || q.URL.Scheme == "https" {
		return nil
	}
	return &errs.Error{
		Kind: errs.Corrupt, Origin: errs.Provider, Scope: errs.ScopePath, Code: "BadAddress",
		Msg: "Snowflake gave an address without TLS for a part of the result",
	}
}

// unpacked gives a body as it is when it is not compressed, up to maxAnswer. The
// driver would unpack by itself, without end.
type unpacked struct {
	io.Closer
	packed *bufio.Reader
	plain  io.Reader // nil before the first Read
	left   int64
}

func unpack(body io.ReadCloser) io.ReadCloser {
	return &unpacked{Closer: body, packed: bufio.NewReader(body), left: maxAnswer}
}

// Read implements io.Reader.
func (u *unpacked) Read(p []byte) (int, error) {
	if u.plain == nil {
		u.plain = u.packed
		if magic, _ := u.packed.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
			z, err := gzip.NewReader(u.packed)
			if err != nil {
				return 0, err
			}
			u.plain = z
		}
	}
	if u.left <= 0 {
		if n, err := u.plain.Read(p[:min(len(p), 1)]); n == 0 {
			return 0, err
		}
		return 0, errTooLarge
	}
	n, err := u.plain.Read(p[:min(int64(len(p)), u.left)])
	u.left -= int64(n)
	return n, err
}
