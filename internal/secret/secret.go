// Package secret holds strings that must not be printed, logged, compared or
// stored by accident. Only csfle stores them (sealed), and only an adapter
// reveals them, at the moment of use.
package secret

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Marker stands for a secret in every response. It has 40 characters, since
// the official SDK's typed reader wants that many of an S3 secret key, and it
// says nothing about the real length.
const Marker = "****************REDACTED****************"

// String is a secret. The zero String is empty. The value is kept inside a
// closure, which no printer, encoder or reflection walks into, so that even a
// String in an unexported field of something printed with %+v stays hidden;
// the func also makes String incomparable with ==. Safe for concurrent use.
type String struct {
	mark   string // what a reflecting printer finds instead
	reveal func() string
}

// New makes a secret of s. The secret of "" is the zero String.
func New(s string) String {
	if s == "" {
		return String{}
	}
	return String{mark: Marker, reveal: func() string { return s }}
}

// Reveal returns the secret itself. Whoever calls it answers for where it goes.
func (s String) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether the secret is empty.
func (s String) IsZero() bool { return s.reveal == nil }

// IsMarker reports whether the value is the marker that responses show, which
// a client that sends back what it read returns to us.
func (s String) IsMarker() bool { return s.Reveal() == Marker }

// Equal compares in constant time.
func (s String) Equal(t String) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// String returns the marker, or "" when empty.
func (s String) String() string {
	if s.IsZero() {
		return ""
	}
	return Marker
}

// GoString returns the marker for %#v.
func (s String) GoString() string { return fmt.Sprintf("secret.String(%q)", s.String()) }

// Format prints the marker whatever the verb.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue gives the marker to log/slog.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON gives the marker.
func (s String) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText gives the marker.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalJSON reads a secret from a request. null is the zero String.
func (s *String) UnmarshalJSON(b []byte) error {
	var p *string
	if err := json.Unmarshal(b, &p); err != nil {
		return errors.New("must be a string") // the decoder's own text would quote the value
	}
	*s = String{}
	if p != nil {
		*s = New(*p)
	}
	return nil
}

// UnmarshalText reads a secret from a file or an environment variable.
func (s *String) UnmarshalText(b []byte) error {
	*s = New(string(b))
	return nil
}

var errStore = errors.New("secret: a secret can't be stored in the clear: seal it with csfle")

// MarshalBSONValue always fails, so that no document can hold a secret in the clear.
func (s String) MarshalBSONValue() (byte, []byte, error) { return 0, nil, errStore }

// MarshalBinary always fails (gob and its like).
func (s String) MarshalBinary() ([]byte, error) { return nil, errStore }
