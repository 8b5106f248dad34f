package api

import "mooring/internal/provider/driver"

// Folders and files are what Browse gives, for every provider: the contract
// speaks of Google Drive alone.

type folderQuery struct {
	Path   string `query:"path" default:"/" maxLength:"4096"`
	Cursor string `query:"cursor" maxLength:"4096"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"1000"`
}

type folderItem struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Path     string `json:"path" doc:"from the top, usable as source_path"`
	MimeType string `json:"mime_type"`
}

type listFoldersResponse struct {
	Results    []folderItem `json:"results"`
	ParentPath string       `json:"parent_path"`
	NextCursor *string      `json:"next_cursor"`
}

// folderType is what Google Drive calls a folder, and the contract with it.
const folderType = "application/vnd.google-apps.folder"

func (c *call) listFolders(q folderQuery, _ none) (out listFoldersResponse, err error) {
	found, err := c.below(q.Path, q.Cursor, q.Limit)
	out = listFoldersResponse{Results: []folderItem{}, ParentPath: q.Path, NextCursor: text(found.Next)}
	for _, x := range found.Items {
		if x.Folder {
			out.Results = append(out.Results, folderItem{ID: x.ID, Name: x.Name, Path: x.Path, MimeType: folderType})
		}
	}
	return out, err
}

type fileQuery struct {
	Path       string `query:"path" default:"/" maxLength:"4096"`
	MaxResults int    `query:"max_results" minimum:"1" maximum:"100" default:"50"`
	Cursor     string `query:"cursor" maxLength:"4096"`
}

type fileItem struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Path       string `json:"path" doc:"from the top"`
	MimeType   string `json:"mime_type"`
	SizeBytes  *int64 `json:"size_bytes" doc:"null where it is not known before reading"`
	ModifiedAt *stamp `json:"modified_at"`
}

type filesPreviewResponse struct {
	Results    []fileItem `json:"results"`
	Path       string     `json:"path"`
	Total      int        `json:"total" doc:"files in this answer"`
	HasMore    bool       `json:"has_more"`
	NextCursor *string    `json:"next_cursor"`
}

func (c *call) listFiles(q fileQuery, _ none) (out filesPreviewResponse, err error) {
	found, err := c.below(q.Path, q.Cursor, q.MaxResults)
	out = filesPreviewResponse{Results: []fileItem{}, Path: q.Path, HasMore: found.Next != "", NextCursor: text(found.Next)}
	for _, x := range found.Items {
		if !x.Folder {
			out.Results = append(out.Results, fileItem{
				ID: x.ID, Name: x.Name, Path: x.Path, MimeType: mimeOf(x), SizeBytes: sizeOf(x), ModifiedAt: maybe(&x.ModifiedAt),
			})
		}
	}
	out.Total = len(out.Results)
	return out, err
}

type browseQuery struct {
	Path   string `query:"path" default:"/" maxLength:"4096"`
	Cursor string `query:"cursor" maxLength:"4096"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type browseItem struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Path       string `json:"path" doc:"from the top; of a folder usable as source_path"`
	Folder     bool   `json:"folder"`
	SizeBytes  *int64 `json:"size_bytes"`
	ModifiedAt *stamp `json:"modified_at"`
}

type browseResponse struct {
	Results    []browseItem `json:"results" doc:"folders first, where the provider can say so"`
	Path       string       `json:"path"`
	Pagination pagination   `json:"pagination"`
}

func (c *call) browse(q browseQuery, _ none) (out browseResponse, err error) {
	found, err := c.below(q.Path, q.Cursor, q.Limit)
	out = browseResponse{Results: []browseItem{}, Path: q.Path, Pagination: paging{Limit: q.Limit, Cursor: q.Cursor}.answer(found.Next, -1)}
	for _, x := range found.Items {
		item := browseItem{ID: x.ID, Name: x.Name, Path: x.Path, Folder: x.Folder, ModifiedAt: maybe(&x.ModifiedAt)}
		if !x.Folder {
			item.SizeBytes = sizeOf(x)
		}
		out.Results = append(out.Results, item)
	}
	return out, err
}

// below asks the provider. The root is "/" to clients and "" to adapters.
func (c *call) below(path, cursor string, limit int) (driver.Listing, error) {
	conn, err := c.connection()
	if err != nil {
		return driver.Listing{}, err
	}
	if path == "/" {
		path = ""
	}
	return c.Connections.Browse(c.ctx(), c.org(), string(conn.ID), path, cursor, limit)
}

func mimeOf(x driver.Item) string {
	if x.MIME == "" {
		return "application/octet-stream"
	}
	return x.MIME
}

func sizeOf(x driver.Item) *int64 {
	if x.Size < 0 {
		return nil
	}
	return new(x.Size)
}
