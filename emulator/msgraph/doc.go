// Package msgraph is an in-process emulator of the part of Microsoft Graph that
// reads SharePoint libraries and OneDrives, with the identity platform's token
// endpoint. It is for tests, like net/http/httptest; everything is kept in memory.
//
// What distinguishes it from a server that merely answers:
//
//   - A tree lies behind it, with a log of its changes. Deltas are pages of that
//     log, so that what changes during an enumeration shows as it does there.
//   - Tokens are handed out, expire, rotate and can be revoked.
//   - $select strips what it does not name, of deletions too.
//   - Content is read from pre-authenticated URLs that expire.
//   - Faults are scripted: see Inject. Every request is logged and counted, and
//     what a client must not do is noted: see Violations.
//
// Ids are the same in every run, tokens are not. Writing, searching for items,
// thumbnails, versions, subscriptions, batches and $expand, $filter, $orderby are
// not there: they are refused, not ignored. Deltas carry no download URLs.
package msgraph
