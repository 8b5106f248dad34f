// Package gdrive proves that the emulator of Google Drive answers clients that are
// not ours: rclone, and the client that Google publishes for Python. Its tests need
// the build tag interop, rclone and a Python that has the client: `make interop`.
package gdrive
