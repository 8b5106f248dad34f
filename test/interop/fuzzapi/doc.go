// Package fuzzapi has Schemathesis, a fuzzer of HTTP APIs that is not ours, try
// the built binary with what its own OpenAPI document promises. Its test needs
// the build tag interop and a Python that has Schemathesis: `make interop`.
//
// What is checked, and each exception with its reason, stands in
// schemathesis.toml and hooks.py.
package fuzzapi
