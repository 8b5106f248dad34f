// Package s3 is an in-process emulator of Amazon S3, with the part of STS that
// hands out credentials for it. It is for tests, like net/http/httptest, and for
// demonstrations: everything is kept in memory, and a directory can be served
// through an overlay without ever being written to.
//
// What distinguishes it from a server that merely answers:
//
//   - Signatures, session tokens, their expiry and the region of a request are
//     verified, and permissions can be taken from a key.
//   - Keys are kept byte for byte (a/../b, a//b, trailing slashes, control
//     characters), and lists are in the order of their bytes.
//   - Faults are scripted: the second GetObject of a key loses its connection, the
//     third page of a list is out of order. See Inject.
//   - Every request is logged and counted, so that a test can say "no GetObject".
//
// Uploads, copies, deletes and tagging are read by github.com/rclone/gofakes3;
// lists, reads, credentials and faults are the work of this package. Versioning,
// object lock, presigned POST, reads by part number and GetObjectAttributes are
// not there: they are refused, not ignored.
//
// A server has one endpoint for all regions. A request must be signed for the
// region of the bucket: one that is signed for the server's region and asks for a
// bucket elsewhere is sent there (301 PermanentRedirect), and any other wrong
// region is 400 AuthorizationHeaderMalformed. Following is done at the same
// endpoint, signed for the other region.
package s3
