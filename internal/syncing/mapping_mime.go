package syncing

import (
	"path"
	"strings"
)

// The types that decide between kinds of blobs. They stand here and are not
// asked of the operating system, since its table differs from machine to
// machine and a bucket's objects must not.
var extensionMIME = map[string]string{
	".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp", ".bmp": "image/bmp",
	".tif": "image/tiff", ".tiff": "image/tiff", ".svg": "image/svg+xml", ".heic": "image/heic", ".heif": "image/heif", ".avif": "image/avif", ".ico": "image/x-icon",

	".mp4": "video/mp4", ".m4v": "video/x-m4v", ".mov": "video/quicktime", ".avi": "video/x-msvideo", ".mkv": "video/x-matroska",
	".webm": "video/webm", ".mpeg": "video/mpeg", ".mpg": "video/mpeg", ".wmv": "video/x-ms-wmv", ".flv": "video/x-flv", ".3gp": "video/3gpp", ".ogv": "video/ogg",

	".mp3": "audio/mpeg", ".wav": "audio/wav", ".m4a": "audio/mp4", ".aac": "audio/aac", ".flac": "audio/flac", ".ogg": "audio/ogg",
	".oga": "audio/ogg", ".opus": "audio/opus", ".wma": "audio/x-ms-wma", ".aif": "audio/aiff", ".aiff": "audio/aiff", ".mid": "audio/midi",

	".pdf": "application/pdf",
	".csv": "text/csv", ".tsv": "text/tab-separated-values", ".xls": "application/vnd.ms-excel", ".xlsm": "application/vnd.ms-excel.sheet.macroenabled.12",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".ods": "application/vnd.oasis.opendocument.spreadsheet",

	".txt": "text/plain", ".log": "text/plain", ".md": "text/markdown", ".html": "text/html", ".htm": "text/html", ".css": "text/css",
	".xml": "application/xml", ".json": "application/json", ".jsonl": "application/jsonl", ".ndjson": "application/x-ndjson",
	".yaml": "application/yaml", ".yml": "application/yaml", ".js": "text/javascript", ".rtf": "application/rtf", ".eml": "message/rfc822", ".ics": "text/calendar",
	".doc": "application/msword", ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".odt": "application/vnd.oasis.opendocument.text",
	".ppt": "application/vnd.ms-powerpoint", ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation", ".odp": "application/vnd.oasis.opendocument.presentation",

	".zip": "application/zip", ".gz": "application/gzip", ".tar": "application/x-tar", ".7z": "application/x-7z-compressed", ".parquet": "application/vnd.apache.parquet",
}

// mimeOf returns an item's type: as the provider says, unless it says nothing
// ("application/octet-stream" is what S3 says of whatever it wasn't told), else
// by the name's extension; "" if neither tells.
func mimeOf(said, name string) string {
	said = baseMIME(said)
	switch said {
	case "", "application/octet-stream", "binary/octet-stream":
		if byName, ok := extensionMIME[strings.ToLower(path.Ext(name))]; ok {
			return byName
		}
	}
	return said
}

// baseMIME is a type in lower case and without parameters.
func baseMIME(mime string) string {
	mime, _, _ = strings.Cut(mime, ";")
	return strings.ToLower(strings.TrimSpace(mime))
}

// blobTypeOf is the kind of blob for a type, as the contract decides it: one of
// the file kinds, and text for everything else.
func blobTypeOf(mime string) string {
	switch kind, _, _ := strings.Cut(mime, "/"); kind {
	case "image", "video", "audio":
		return kind
	}
	switch {
	case mime == "application/pdf":
		return "pdf"
	case mime == "text/csv" || mime == "text/tab-separated-values" || mime == "application/csv":
		return "excel"
	case strings.HasPrefix(mime, "application/vnd.ms-excel"), strings.Contains(mime, "spreadsheet"):
		return "excel" // "spreadsheet" is in the types of Office, OpenDocument and Google alike
	}
	return "text"
}
