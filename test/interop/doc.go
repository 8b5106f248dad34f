// Package interop proves the built binary against servers that are not ours.
// Its tests need the build tag interop and versitygw: `make interop`.
package interop
