// Package csfle proves with MongoDB's own implementation, libmongocrypt through
// pymongocrypt, that each side opens what the other sealed and unwraps the other's
// data keys, and that both refuse what was tampered with. Its tests need the build
// tag interop: `make interop`.
package csfle
