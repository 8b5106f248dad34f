package api

import (
	"context"
	"net/http"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/bucket"
	bucketservice "mooring/internal/bucket/service"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/surface"
)

const bucketPath = "/v1/buckets/{bucket_identifier}"

func bucketRoutes() []route {
	return tagged("Buckets",
		op(http.MethodPost, "/v1/buckets", "create_bucket", "Make a bucket", access.Write, (*call).createBucket, inNamespace),
		op(http.MethodPost, "/v1/buckets/list", "list_buckets", "List buckets, newest first", access.Read, (*call).listBuckets, inNamespace, optionalBody),
		op(http.MethodGet, bucketPath, "get_bucket", "Show a bucket, by id or name", access.Read, (*call).getBucket, inNamespace),
		op(http.MethodDelete, bucketPath, "delete_bucket", "Delete a bucket, its syncs and all it holds", access.Delete, (*call).deleteBucket, inNamespace),
	)
}

type bucketResponse struct {
	BucketID       string         `json:"bucket_id"`
	BucketName     string         `json:"bucket_name"`
	Description    *string        `json:"description"`
	BucketSchema   map[string]any `json:"bucket_schema"`
	UniqueKey      map[string]any `json:"unique_key,omitempty"`
	Metadata       map[string]any `json:"metadata"`
	ObjectCount    int64          `json:"object_count" doc:"as counted at stats_updated_at"`
	TotalSizeBytes int64          `json:"total_size_bytes"`
	CreatedAt      stamp          `json:"created_at"`
	UpdatedAt      stamp          `json:"updated_at"`
	LastUploadAt   *stamp         `json:"last_upload_at"`
	StatsUpdatedAt *stamp         `json:"stats_updated_at"`
	Status         string         `json:"status" enum:"ACTIVE,IN_PROGRESS,ARCHIVED,SUSPENDED"`
	IsLocked       bool           `json:"is_locked"`

	InternalID      string `json:"internal_id"`
	NamespaceID     string `json:"namespace_id"`
	Destination     string `json:"destination" doc:"the operator's name of it"`
	CreatedByUserID string `json:"created_by_user_id"`
}

func bucketModel(b bucket.Bucket) bucketResponse {
	schema := orEmpty(b.Schema)
	if schema["properties"] == nil {
		schema["properties"] = map[string]any{}
	}
	return bucketResponse{
		BucketID: string(b.ID), BucketName: b.Name, Description: b.Description, BucketSchema: schema, UniqueKey: b.UniqueKey, Metadata: orEmpty(b.Metadata),
		ObjectCount: b.Stats.Objects, TotalSizeBytes: b.Stats.Bytes, CreatedAt: at(b.CreatedAt), UpdatedAt: at(b.UpdatedAt),
		LastUploadAt: maybe(b.Stats.LastAt), StatsUpdatedAt: maybe(b.Stats.UpdatedAt), Status: b.Status, IsLocked: b.Status == bucket.Deleting,
		InternalID: string(b.Org), NamespaceID: string(b.Namespace), Destination: b.Destination, CreatedByUserID: b.CreatedBy,
	}
}

type bucketCreateRequest struct {
	BucketName   string         `json:"bucket_name" alias:"name" doc:"unique within the namespace; 1 to 100 characters; name is taken too"`
	Description  *string        `json:"description,omitempty" maxLength:"500"`
	BucketSchema map[string]any `json:"bucket_schema,omitempty" doc:"properties: field name to its type; default none"`
	UniqueKey    map[string]any `json:"unique_key,omitempty" doc:"fields, default_policy"`
	Metadata     map[string]any `json:"metadata,omitempty"`
	Destination  *string        `json:"destination,omitempty" maxLength:"100" doc:"the operator's name of one; default: default"`
}

func (c *call) createBucket(_ none, r bucketCreateRequest) (out bucketResponse, err error) {
	if err := c.covers(access.OfBucket(c.org(), c.ns.ID, "")); err != nil {
		return out, err
	}
	f := errs.NewFields("body")
	schema := bucketSchema(r.BucketSchema, f.At("bucket_schema"))
	unique := uniqueKey(r.UniqueKey, schema, f.At("unique_key"))
	metadata := connection.CleanMetadata(r.Metadata, f)
	if err := f.Err("bucket.create"); err != nil {
		return out, err
	}
	made := bucketservice.CreateRequest{Name: r.BucketName, Description: r.Description, Schema: schema, UniqueKey: unique, Metadata: metadata, CreatedBy: c.user()}
	if r.Destination != nil {
		made.Destination = *r.Destination
	}
	b, err := c.Buckets.Create(c.ctx(), c.org(), c.ns.ID, c.actor, made)
	return bucketModel(b), err
}

type listBucketsRequest struct {
	Search        *string        `json:"search,omitempty" maxLength:"500" doc:"part of an id, name or description"`
	Filters       map[string]any `json:"filters,omitempty" doc:"bucket_id or bucket_name"`
	Sort          map[string]any `json:"sort,omitempty" doc:"only created_at, descending, which is the default"`
	CaseSensitive *bool          `json:"case_sensitive,omitempty"`
	Limit         *int           `json:"limit,omitempty" minimum:"1" maximum:"1000"`
	PageSize      *int           `json:"page_size,omitempty" minimum:"1" maximum:"1000" doc:"another name for limit"`
	Offset        *int           `json:"offset,omitempty" minimum:"0" maximum:"10000"`
	Cursor        *string        `json:"cursor,omitempty" maxLength:"2000"`
}

type listBucketsResponse struct {
	Results    []bucketResponse `json:"results"`
	TotalCount int64            `json:"total_count"`
	Pagination pagination       `json:"pagination"`
	Stats      bucketListStats  `json:"stats" doc:"of the buckets in this answer"`
}

type bucketListStats struct {
	TotalObjects        int64   `json:"total_objects"`
	TotalSizeBytes      int64   `json:"total_size_bytes"`
	AvgObjectsPerBucket float64 `json:"avg_objects_per_bucket"`
	AvgSizePerBucket    float64 `json:"avg_size_per_bucket"`
}

// override lets the keys of a body stand before the query's parameters, where
// the contract pages in the body.
func override(p paging, limit, size, offset *int, cursor *string) paging {
	for _, n := range []*int{size, limit} {
		if n != nil {
			p.Limit = *n
		}
	}
	if offset != nil {
		p.Offset = *offset
	}
	if cursor != nil {
		p.Cursor = *cursor
	}
	return p
}

func (c *call) listBuckets(p paging, r listBucketsRequest) (out listBucketsResponse, err error) {
	f, err := bucketFilter(c.ns.ID, r)
	if err != nil {
		return out, err
	}
	p = override(p, r.Limit, r.PageSize, r.Offset, r.Cursor)
	found, total, err := surface.List(c.ctx(), c.who, p.page(), surface.Source[bucket.Bucket]{
		List: func(ctx context.Context, p store.Page) (store.List[bucket.Bucket], error) {
			return c.Store.Buckets().List(ctx, c.org(), f, p)
		},
		Count:    func(ctx context.Context) (int64, error) { return c.Store.Buckets().Count(ctx, c.org(), f) },
		Resource: func(b bucket.Bucket) access.Resource { return access.OfBucket(c.org(), b.Namespace, b.ID) },
		Position: func(b bucket.Bucket) surface.Position {
			return surface.Position{Created: b.CreatedAt, ID: string(b.ID)}
		},
	})
	if err != nil {
		return out, err
	}
	c.read = access.Ref{Type: audit.Namespace, ID: string(c.ns.ID)}
	out = listBucketsResponse{Results: make([]bucketResponse, len(found.Items)), TotalCount: total, Pagination: p.answer(found.Next, total)}
	for i, b := range found.Items {
		out.Results[i] = bucketModel(b)
		out.Stats.TotalObjects += b.Stats.Objects
		out.Stats.TotalSizeBytes += b.Stats.Bytes
	}
	if n := float64(len(found.Items)); n > 0 {
		out.Stats.AvgObjectsPerBucket, out.Stats.AvgSizePerBucket = float64(out.Stats.TotalObjects)/n, float64(out.Stats.TotalSizeBytes)/n
	}
	return out, nil
}

func bucketFilter(ns id.Namespace, r listBucketsRequest) (bucket.ListFilter, error) {
	f := bucket.ListFilter{Namespace: ns}
	if r.Search != nil {
		f.Search = *r.Search
	}
	f.CaseSensitive = r.CaseSensitive != nil && *r.CaseSensitive
	conditions, err := readConditions(r.Filters)
	if err != nil {
		return f, err
	}
	const works = "buckets can be filtered by bucket_id and bucket_name, for equality"
	for _, cond := range conditions {
		value, ok := cond.Value.(string)
		switch {
		case !ok || cond.Op != "eq":
			return f, errs.New(errs.Invalid, "api.filter", works)
		case cond.Field == "bucket_id":
			f.ID = id.Bucket(value)
		case cond.Field == "bucket_name":
			f.Name = value
		default:
			return f, errs.New(errs.Invalid, "api.filter", works)
		}
	}
	field, _ := r.Sort["field"].(string)
	direction, _ := r.Sort["direction"].(string)
	if len(r.Sort) > 0 && (field != "created_at" || direction == "asc") {
		return f, errs.New(errs.Invalid, "api.sort", "buckets are listed newest first: no other order is kept")
	}
	return f, nil
}

// bucket finds the one that the path names, if the key's scopes reach it.
func (c *call) bucket() (bucket.Bucket, error) {
	b, err := c.reach().Bucket(c.ctx(), c.ns.ID, c.r.PathValue("bucket_identifier"))
	if err == nil {
		c.read = access.Ref{Type: audit.Bucket, ID: string(b.ID)}
	}
	return b, err
}

// live is a bucket that is not being deleted.
func (c *call) live() (bucket.Bucket, error) {
	b, err := c.bucket()
	if err == nil {
		err = surface.Live(b)
	}
	return b, err
}

func (c *call) getBucket(none, none) (bucketResponse, error) {
	b, err := c.bucket()
	return bucketModel(b), err
}

type bucketDeleteResponse struct {
	TaskID      string `json:"task_id" doc:"see /v1/tasks/{task_id}"`
	Status      string `json:"status" enum:"PENDING"`
	BucketID    string `json:"bucket_id"`
	BucketName  string `json:"bucket_name"`
	ObjectCount int64  `json:"object_count"`
}

func (c *call) deleteBucket(none, none) (out bucketDeleteResponse, err error) {
	b, err := c.bucket()
	if err != nil {
		return out, err
	}
	if b, err = c.Buckets.Delete(c.ctx(), c.org(), c.actor, b); err != nil {
		return out, err
	}
	return bucketDeleteResponse{TaskID: taskOf(b.ID), Status: "PENDING", BucketID: string(b.ID), BucketName: b.Name, ObjectCount: b.Stats.Objects}, nil
}
