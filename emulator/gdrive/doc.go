// Package gdrive is an in-process emulator of Google Drive (API v3, what a reader
// needs of it) with the OAuth 2.0 endpoints that hand out credentials for it. It
// is for tests, like net/http/httptest; everything is kept in memory.
//
// What distinguishes it from a server that merely answers:
//
//   - It keeps a real tree: folders, files, documents with exports, shortcuts, trash,
//     shared drives, sharing. An item is seen by whom it is shared with.
//   - Changes come from a log per user and per shared drive, one latest entry per
//     file. A folder that is moved, trashed or deleted is one change: what is below
//     it is not named.
//   - Assertions are verified against the key of the service account, impersonation
//     against what was delegated, PKCE and refresh tokens against what was issued.
//   - Flags, fields, page tokens and the query language are read as strictly as Drive
//     reads them: an adapter that forgets supportsAllDrives sees nothing.
//   - Faults are scripted: the second page of a list repeats an item, the third
//     download breaks off. See Inject.
//   - Every request is logged and counted.
//
// The tree is changed with the methods of Server; the API answers reads alone and
// refuses the rest. Methods that name an item which does not exist panic: it is
// the test that is wrong.
//
// # Faults
//
// What goes wrong with the real service, and how to have it here:
//
//   - credentials: Unauthorized once or for ever, ExpireTokens, RevokeTokens,
//     InvalidGrant, UnauthorizedClient, ReplyReason("insufficientPermissions")
//   - the token endpoint is down or slow: ReplyReason("temporarily_unavailable"), Delay
//   - throttling: RateLimited, TooManyRequests, ReplyReason("dailyLimitExceeded"),
//     ReplyReason("downloadQuotaExceeded"), each for as many Times as wanted
//   - permission: Forbidden, NotFound, Unshare, RemoveMember, ForbidDownload
//   - outages: InternalError, Unavailable, Drop, ResetAfter, Delay
//   - cursors: InvalidPageToken; a token of another log or list is invalid by itself
//   - lists: IncompleteSearch, EmptyPage, DuplicateEntries, OverlapPages, ListAtMost,
//     ListCutOff, ReverseOrder
//   - folders without changes of what is in them: Move, Trash, Restore, Delete
//   - removals: Delete, Unshare, and Move out of a shared drive
//   - a shared drive that vanishes: RemoveMember, DeleteDrive
//   - shortcuts that dangle, lead to folders or in circles: Shortcut
//   - exports: Options.ExportLimit, with exportLinks that lead here and have no limit
//   - content: ChangeFirst between metadata and download, ShortBody, CorruptByte,
//     IgnoreRange, MarkAbusive
//   - servers that repeat secrets: EchoCredentials
//
// # Differences
//
// Content of a shared drive is given without supportsAllDrives, as Drive does to rclone;
// metadata is not. Lists without orderBy are in order of creation, and a full text
// search looks at names alone. Of the roles there are owner, member of a shared drive
// and reader. What comes with a folder is in its log as it was: to whom a folder
// becomes visible, or leaves a shared drive, only the folder is told of.
//
// The protocol is that of the Drive API v3 (discovery revision 20261023) and its
// guides. Where Google documents no message, the wording here is ours and clients
// must not depend on it. That holds also for the reasons teamDrivesNotSupported,
// teamDrivesIncludeRequired and insufficientScopes, for the status of
// teamDriveIdRequiresTeamDriveCorpora, and for the 404 of a query that names a folder
// which the user can't see.
package gdrive
