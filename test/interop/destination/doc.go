// Package destination proves the S3 destination against a server that is not
// ours. Its tests have the build tag interop.
package destination
