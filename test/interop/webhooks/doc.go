// Package webhooks proves with the reference library of Standard Webhooks that
// what the built binary sends is signed as the specification says, and that no
// event is lost while its receiver fails, hangs and restarts, and the server is
// killed. Its test needs the build tag interop and a Python that has the
// library: `make interop`.
package webhooks
