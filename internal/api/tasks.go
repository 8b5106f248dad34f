package api

import (
	"net/http"
	"strings"

	"mooring/internal/access"
	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/surface"
)

func taskRoutes() []route {
	return tagged("Tasks",
		op(http.MethodGet, "/v1/tasks/{task_id}", "get_task", "How far the deletion of a bucket is", access.Read, (*call).getTask),
	)
}

const (
	taskLead   = "task_"
	bucketLead = "bkt_"
)

// taskOf names the task of deleting a bucket. There are no other tasks, so that
// the bucket itself is all the record that one needs.
func taskOf(b id.Bucket) string { return taskLead + strings.TrimPrefix(string(b), bucketLead) }

type taskResponse struct {
	TaskID    string `json:"task_id"`
	TaskType  string `json:"task_type" enum:"api_buckets_delete"`
	Status    string `json:"status" enum:"PENDING,COMPLETED"`
	BucketID  string `json:"bucket_id"`
	UpdatedAt stamp  `json:"updated_at"`
}

func (c *call) getTask(none, none) (out taskResponse, err error) {
	name := c.r.PathValue("task_id")
	rest, ok := strings.CutPrefix(name, taskLead)
	if !ok {
		return out, surface.Missing("task", name)
	}
	b, err := c.Store.Buckets().Get(c.ctx(), c.org(), id.Bucket(bucketLead+rest))
	if errs.Is(err, errs.NotFound) || err == nil && (b.Status == bucket.Active || !c.who.Reaches(access.Read, access.OfBucket(c.org(), b.Namespace, b.ID))) {
		return out, surface.Missing("task", name)
	}
	out = taskResponse{TaskID: name, TaskType: "api_buckets_delete", Status: "PENDING", BucketID: string(b.ID), UpdatedAt: at(b.UpdatedAt)}
	if b.Status == bucket.Archived {
		out.Status = "COMPLETED"
	}
	return out, err
}
