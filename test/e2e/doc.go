// Package e2e tests the built binary from outside, as its users meet it: over
// HTTP, on the command line and in the files it leaves. The storage it connects
// to is the S3 emulator in the test's own process.
package e2e
