// Package msgraph proves the emulator of Microsoft Graph with clients that nobody
// here wrote: rclone's onedrive backend, and Microsoft's own SDK for Python with
// its identity library. An adapter that passes against the emulator says little
// unless these do too. Its tests need the build tag interop: `make interop`.
package msgraph
