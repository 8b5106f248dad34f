package api

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"path"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"mooring/internal/access"
	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/surface"
)

const objectPath = bucketPath + "/objects/{object_identifier}"

func objectRoutes() []route {
	return tagged("Objects",
		op(http.MethodPost, bucketPath+"/objects/list", "list_objects_buckets", "List a bucket's objects, newest first", access.Read, (*call).listObjects, inNamespace, optionalBody),
		op(http.MethodGet, objectPath, "get_object_buckets", "Show an object", access.Read, (*call).getObject, inNamespace),
		op(http.MethodDelete, objectPath, "delete_object_buckets", "Remove an object's content; this version of it does not come back", access.Delete, (*call).deleteObject, inNamespace),
		streams(objectPath+"/content", "get_object_content", "Download an object's content, whole or from an offset on", "application/octet-stream", access.Read, (*call).objectContent, inNamespace),
	)
}

// objectResponse is an object with its mapped fields beside the fixed ones.
type objectResponse struct {
	ObjectID      string      `json:"object_id"`
	BucketID      string      `json:"bucket_id"`
	KeyPrefix     *string     `json:"key_prefix" doc:"the folder in the destination"`
	Blobs         []blobModel `json:"blobs"`
	SourceDetails []any       `json:"source_details" doc:"always empty: lineage is told by the keys below"`
	Status        string      `json:"status" enum:"DRAFT,ARCHIVED" doc:"ARCHIVED: gone at the source"`
	Error         *string     `json:"error"`
	CreatedAt     stamp       `json:"created_at"`
	UpdatedAt     stamp       `json:"updated_at"`

	SourceProvider   string  `json:"source_provider"`
	SourceObjectID   string  `json:"source_object_id"`
	SourcePath       string  `json:"source_path"`
	SourceModifiedAt *stamp  `json:"source_modified_at"`
	SizeBytes        int64   `json:"size_bytes"`
	MimeType         *string `json:"mime_type"`
	ConnectionID     string  `json:"connection_id"`
	SyncConfigID     string  `json:"sync_config_id"`
	ContentHash      *string `json:"content_hash" doc:"sha256: and lower-case hex"`
	Verification     *string `json:"verification" doc:"verified: against what, or unverifiable: why"`
	DuplicateOf      *string `json:"duplicate_of" doc:"the object that brought the same content first"`

	fields map[string]any // mapped ones
	only   []string       // when set, the keys to show
}

type blobModel struct {
	BlobID     string         `json:"blob_id"`
	Property   string         `json:"property"`
	KeyPrefix  *string        `json:"key_prefix"`
	Type       string         `json:"type" enum:"string,number,integer,float,boolean,object,array,date,datetime,text,image,audio,video,pdf,excel"`
	Properties map[string]any `json:"properties"`
	Details    *blobDetails   `json:"details,omitempty"`
}

type blobDetails struct {
	Filename  string  `json:"filename"`
	SizeBytes int64   `json:"size_bytes"`
	MimeType  *string `json:"mime_type"`
	Hash      *string `json:"hash"`
}

// MarshalJSON puts the mapped fields beside the fixed ones, of which none can
// be replaced by a mapping.
func (o objectResponse) MarshalJSON() ([]byte, error) {
	type fixed objectResponse
	raw, err := json.Marshal(fixed(o))
	if err != nil {
		return nil, err
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	for name, v := range o.fields {
		if _, taken := doc[name]; !taken {
			if doc[name], err = json.Marshal(wire(v)); err != nil {
				return nil, err
			}
		}
	}
	if o.only != nil {
		maps.DeleteFunc(doc, func(name string, _ json.RawMessage) bool {
			return name != "object_id" && name != "bucket_id" && !slices.Contains(o.only, name)
		})
	}
	return json.Marshal(doc)
}

// TransformSchema says that other keys are mapped fields, and that a select may
// leave out all but two.
func (objectResponse) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.AdditionalProperties = true
	s.Required = []string{"object_id", "bucket_id"}
	s.Description = "Mapped fields stand beside these, under their own names."
	return s
}

func objectModel(o bucket.Object) objectResponse {
	out := objectResponse{
		ObjectID: string(o.ID), BucketID: string(o.Bucket), Blobs: []blobModel{}, SourceDetails: []any{}, Status: o.State,
		CreatedAt: at(o.CreatedAt), UpdatedAt: at(o.UpdatedAt), SourceProvider: o.Provider, SourceObjectID: string(o.SourceID),
		SourcePath: o.SourcePath, SourceModifiedAt: maybe(o.ModifiedAt), SizeBytes: o.Size, MimeType: text(o.MIME),
		ConnectionID: string(o.Connection), SyncConfigID: string(o.Sync), Verification: text(o.Verdict), DuplicateOf: text(o.DuplicateOf), fields: o.Fields,
	}
	if folder := path.Dir(o.Name); folder != "." {
		out.KeyPrefix = &folder
	}
	if o.SHA256 != "" {
		out.ContentHash = new("sha256:" + o.SHA256)
	}
	blobs := o.Blobs
	if len(blobs) == 0 {
		blobs = []bucket.Blob{{Property: "content", Type: "text", MIME: o.MIME}}
	}
	for _, b := range blobs {
		out.Blobs = append(out.Blobs, blobOf(o, b, out.ContentHash))
	}
	return out
}

// blobOf shows a blob: the object's file, or a constant URL.
func blobOf(o bucket.Object, b bucket.Blob, hash *string) blobModel {
	m := blobModel{BlobID: string(o.ID) + "." + b.Property, Property: b.Property, Type: b.Type, Properties: map[string]any{}}
	if b.URL != "" {
		m.Properties["url"] = b.URL
		return m
	}
	m.KeyPrefix = text(o.Name)
	if o.State == bucket.Present {
		m.Properties["url"] = "/v1/buckets/" + string(o.Bucket) + "/objects/" + string(o.ID) + "/content"
	}
	m.Details = &blobDetails{Filename: path.Base(o.SourcePath), SizeBytes: o.Size, MimeType: text(b.MIME), Hash: hash}
	return m
}

type objectQuery struct {
	ReturnPresignedURLs bool `query:"return_presigned_urls" doc:"taken, but no presigned URLs are made: download with the API key from the blob's url"`
}

func (c *call) getObject(_ objectQuery, _ none) (objectResponse, error) {
	_, o, err := c.object()
	return objectModel(o), err
}

func (c *call) object() (b bucket.Bucket, o bucket.Object, err error) {
	if b, err = c.bucket(); err != nil {
		return b, o, err
	}
	o, err = c.Buckets.Object(c.ctx(), c.org(), b, id.Object(c.r.PathValue("object_identifier")))
	if errs.Is(err, errs.NotFound) {
		err = surface.Missing("object", c.r.PathValue("object_identifier"))
	}
	return b, o, err
}

// objectContent serves an object's content.
func (c *call) objectContent(none) error {
	b, o, err := c.object()
	if err != nil {
		return err
	}
	if err := surface.Content(c.w, c.r, c.Buckets, b, o); !errors.Is(err, surface.ErrRange) {
		return err
	}
	return errRange
}

func (c *call) deleteObject(none, none) (none, error) {
	b, err := c.live()
	if err != nil {
		return none{}, err
	}
	err = c.Buckets.DeleteObject(c.ctx(), c.org(), c.actor, b, id.Object(c.r.PathValue("object_identifier")))
	return none{}, err
}

type listObjectsRequest struct {
	Filters  map[string]any `json:"filters,omitempty" doc:"AND of conditions {field, operator, value}, or field: value for equality"`
	Sort     *sortOption    `json:"sort,omitempty"`
	Search   *string        `json:"search,omitempty" maxLength:"500" doc:"part of the source path, in any case"`
	Select   []string       `json:"select,omitempty" doc:"keys to show; object_id and bucket_id always come"`
	Limit    *int           `json:"limit,omitempty" minimum:"1" maximum:"1000"`
	PageSize *int           `json:"page_size,omitempty" minimum:"1" maximum:"1000" doc:"another name for limit"`
	Offset   *int           `json:"offset,omitempty" minimum:"0" maximum:"10000"`
	Cursor   *string        `json:"cursor,omitempty" maxLength:"2000"`
}

type sortOption struct {
	Field     string  `json:"field" doc:"created_at, updated_at, size_bytes or source_path"`
	Direction *string `json:"direction,omitempty" fold:"lower" oneof:"asc,desc"`
}

type listObjectsResponse struct {
	Results    []objectResponse `json:"results"`
	Pagination pagination       `json:"pagination"`
	Stats      objectListStats  `json:"stats"`
}

type objectListStats struct {
	TotalObjects      int64            `json:"total_objects" doc:"of the whole bucket, as last counted"`
	TotalBlobs        int64            `json:"total_blobs" doc:"of this answer"`
	AvgBlobsPerObject float64          `json:"avg_blobs_per_object"`
	ObjectsByStatus   map[string]int64 `json:"objects_by_status" doc:"of this answer"`
}

func (c *call) listObjects(p paging, r listObjectsRequest) (out listObjectsResponse, err error) {
	f, err := objectFilter(r)
	if err != nil {
		return out, err
	}
	b, err := c.bucket()
	if err != nil {
		return out, err
	}
	p = override(p, r.Limit, r.PageSize, r.Offset, r.Cursor)
	found, err := c.Store.Catalogue().List(c.ctx(), c.org(), b.ID, f, p.page())
	if err != nil {
		return out, err
	}
	total := b.Stats.Objects // kept, not counted anew; what filters leave of it is not known
	if len(r.Filters) > 0 || r.Search != nil {
		total = -1
	}
	out = listObjectsResponse{
		Results: make([]objectResponse, len(found.Items)), Pagination: p.answer(found.Next, total),
		Stats: objectListStats{TotalObjects: b.Stats.Objects, ObjectsByStatus: map[string]int64{}},
	}
	for i, o := range found.Items {
		out.Results[i] = objectModel(o)
		out.Results[i].only = r.Select
		out.Stats.TotalBlobs += int64(len(out.Results[i].Blobs))
		out.Stats.ObjectsByStatus[o.State]++
	}
	if n := len(found.Items); n > 0 {
		out.Stats.AvgBlobsPerObject = float64(out.Stats.TotalBlobs) / float64(n)
	}
	return out, nil
}
