package gdrive

import (
	"context"
	"slices"
	"strings"

	drive "google.golang.org/api/drive/v3"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
)

// The MIME types of what has no content of its own.
const (
	mimePrefix   = "application/vnd.google-apps."
	mimeFolder   = mimePrefix + "folder"
	mimeShortcut = mimePrefix + "shortcut"
)

// format is what a document is exported to.
type format struct{ ext, mime string }

// formatMIME has the MIME type of each format by its extension.
var formatMIME = map[string]string{
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"odt":  "application/vnd.oasis.opendocument.text",
	"ods":  "application/x-vnd.oasis.opendocument.spreadsheet",
	"odp":  "application/vnd.oasis.opendocument.presentation",
	"rtf":  "application/rtf",
	"pdf":  "application/pdf",
	"txt":  "text/plain",
	"zip":  "application/zip",
	"epub": "application/epub+zip",
	"md":   "text/markdown",
	"csv":  "text/csv",
	"tsv":  "text/tab-separated-values",
	"svg":  "image/svg+xml",
	"png":  "image/png",
	"jpeg": "image/jpeg",
	"json": "application/vnd.google-apps.script+json",
	"mp4":  "video/mp4",
}

// preferred are the formats of each kind of document, the best first.
var preferred = map[string][]string{
	"document":     {"docx", "odt", "pdf"},
	"spreadsheet":  {"xlsx", "ods", "pdf"},
	"presentation": {"pptx", "odp", "pdf"},
	"drawing":      {"svg", "png", "pdf"},
	"script":       {"json"},
	"vid":          {"mp4"},
}

// formatsOf reads export_formats: elements like "document=pdf".
func formatsOf(c config.Config) (map[string]string, error) {
	out := map[string]string{}
	list, _ := c.Fields["export_formats"].([]string)
	for _, e := range list {
		kind, ext, _ := strings.Cut(e, "=")
		if _, known := formatMIME[ext]; !known || preferred[kind] == nil {
			return nil, invalid("export_formats must hold elements such as document=pdf")
		}
		if out[kind] != "" {
			return nil, invalid("export_formats names the kind " + kind + " twice")
		}
		out[kind] = ext
	}
	return out, nil
}

// native says whether a file is a document of an editor: it has no content of
// its own.
func native(f *drive.File) bool {
	return strings.HasPrefix(f.MimeType, mimePrefix) && f.Md5Checksum == "" && f.MimeType != mimeFolder && f.MimeType != mimeShortcut
}

// format chooses what a document is exported to; ok is false for a kind that
// Google does not export.
func (s *source) format(ctx context.Context, mime string) (_ format, ok bool, _ error) {
	offered, err := s.exportable(ctx, mime)
	if err != nil || len(offered) == 0 {
		return format{}, false, err
	}
	kind := strings.TrimPrefix(mime, mimePrefix)
	choice := preferred[kind]
	if set := s.formats[kind]; set != "" {
		choice = []string{set}
	}
	for _, ext := range choice {
		if slices.Contains(offered, formatMIME[ext]) {
			return format{ext, formatMIME[ext]}, true, nil
		}
	}
	if s.formats[kind] != "" {
		return format{}, false, nil
	}
	pdf := formatMIME["pdf"] // for a kind of document that is new
	return format{"pdf", pdf}, slices.Contains(offered, pdf), nil
}

// exportable returns the MIME types that Google exports a type to: by what it
// says itself.
func (s *source) exportable(ctx context.Context, mime string) ([]string, error) {
	if all, ok := s.exports.get("", s.now()); ok {
		return all[mime], nil
	}
	t := target{op: "gdrive.about", scope: errs.ScopeConnection}
	about, err := do(ctx, s, t, func(b bearer) (*drive.About, error) {
		c := s.api.About.Get().Fields("exportFormats").Context(ctx)
		b.on(c)
		return c.Do()
	})
	if err != nil {
		return nil, err
	}
	s.exports.put("", about.ExportFormats, s.now())
	return about.ExportFormats[mime], nil
}
