// Package sdk proves that the official Python SDK of the API that ours is
// compatible with works unchanged against the built binary. Its test needs the
// build tag interop and a Python that has the SDK: `make interop`.
package sdk
