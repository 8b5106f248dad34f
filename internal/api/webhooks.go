package api

import (
	"net/http"
	"time"

	"mooring/internal/access"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/surface"
	"mooring/internal/webhook"
	webhookservice "mooring/internal/webhook/service"
)

const (
	webhooksPath = "/v1/webhooks"
	webhookPath  = webhooksPath + "/{webhook_id}"
)

func webhookRoutes() []route {
	return tagged("Webhooks",
		op(http.MethodPost, webhooksPath, "create_webhook", "Have events sent to an address; the signing secret is shown this once", access.Admin, (*call).createWebhook),
		op(http.MethodGet, webhooksPath, "list_webhooks", "List the webhooks, newest first", access.Admin, (*call).listWebhooks),
		op(http.MethodGet, webhookPath, "get_webhook", "Show a webhook", access.Admin, (*call).getWebhook),
		op(http.MethodPatch, webhookPath, "update_webhook", "Change a webhook, or enable it again", access.Admin, (*call).updateWebhook, optionalBody),
		op(http.MethodDelete, webhookPath, "delete_webhook", "End a webhook", access.Admin, (*call).deleteWebhook),
		op(http.MethodPost, webhookPath+"/rotate", "rotate_webhook_secret", "Replace the secret; the old one signs too for a day", access.Admin, (*call).rotateWebhook),
		op(http.MethodPost, webhookPath+"/test", "test_webhook", "Send an event of type webhook.test now", access.Admin, (*call).testWebhook),
		op(http.MethodGet, webhookPath+"/deliveries", "list_webhook_deliveries", "List what the receiver has not taken yet", access.Admin, (*call).listDeliveries),
		op(http.MethodPost, webhookPath+"/deliveries/retry", "retry_webhook_deliveries", "Send deliveries again now, whether they wait or are parked", access.Admin, (*call).retryDeliveries, optionalBody),
	)
}

// WebhookModel is a webhook as responses show it: never its secret.
type WebhookModel struct {
	WebhookID           string   `json:"webhook_id"`
	URL                 string   `json:"url"`
	Description         string   `json:"description"`
	EventTypes          []string `json:"event_types" doc:"exact, or a kind as object.*; none: all"`
	BucketID            *string  `json:"bucket_id" doc:"only of this bucket"`
	ConnectionID        *string  `json:"connection_id" doc:"only of this connection"`
	Status              string   `json:"status" enum:"ACTIVE,DISABLED,PARKED" doc:"PARKED: the receiver was down for days, or is gone"`
	StatusReason        *string  `json:"status_reason"`
	ConsecutiveFailures int      `json:"consecutive_failures"`
	RetryAt             *stamp   `json:"retry_at" doc:"the receiver is down: nothing is sent before"`
	LastDeliveredAt     *stamp   `json:"last_delivered_at"`
	LastStatus          *int     `json:"last_status" doc:"HTTP status of the last answer"`
	LastError           *string  `json:"last_error"`
	Behind              int64    `json:"behind" doc:"events that it has not been sent, whether it wants them or not"`
	CreatedAt           stamp    `json:"created_at"`
	UpdatedAt           stamp    `json:"updated_at"`
	CreatedByUserID     string   `json:"created_by_user_id"`
}

func webhookModel(w webhook.Webhook, last int64) WebhookModel {
	out := WebhookModel{
		WebhookID: string(w.ID), URL: w.URL, Description: w.Description, EventTypes: w.Types, BucketID: text(string(w.Bucket)), ConnectionID: text(string(w.Connection)),
		Status: string(w.Status), StatusReason: text(w.StatusReason), ConsecutiveFailures: w.Failures, LastDeliveredAt: maybe(w.LastSentAt),
		LastError: text(w.LastError), Behind: max(0, last-w.Position), CreatedAt: at(w.CreatedAt), UpdatedAt: at(w.UpdatedAt), CreatedByUserID: w.CreatedBy,
	}
	if w.Types == nil {
		out.EventTypes = []string{}
	}
	if w.LastStatus != 0 {
		out.LastStatus = &w.LastStatus
	}
	if w.Failures > 0 && w.Status == webhook.Active {
		out.RetryAt = maybe(&w.RetryAt)
	}
	return out
}

type webhookSecretResponse struct {
	WebhookModel
	Secret string `json:"secret" doc:"whsec_…, as Standard Webhooks has it; shown this once"`
}

type webhookRequest struct {
	URL          *string   `json:"url,omitempty" minLength:"1" maxLength:"2000" doc:"http or https; required to create"`
	Description  *string   `json:"description,omitempty" maxLength:"500"`
	EventTypes   *[]string `json:"event_types,omitempty" maxLength:"100"`
	BucketID     *string   `json:"bucket_id,omitempty" maxLength:"100"`
	ConnectionID *string   `json:"connection_id,omitempty" maxLength:"100"`
	Enabled      *bool     `json:"enabled,omitempty"`
}

func (r webhookRequest) draft() webhookservice.Draft {
	d := webhookservice.Draft{URL: r.URL, Description: r.Description, Types: r.EventTypes, Enabled: r.Enabled}
	if r.BucketID != nil {
		d.Bucket = new(id.Bucket(*r.BucketID))
	}
	if r.ConnectionID != nil {
		d.Connection = new(id.Connection(*r.ConnectionID))
	}
	return d
}

// webhooks admits to what concerns the whole organization.
func (c *call) webhooks() error {
	if c.Webhooks == nil {
		return errs.New(errs.Unavailable, "api.webhooks", "this process sends no webhooks")
	}
	return c.covers(access.OfOrganization(c.org()))
}

func (c *call) webhook() (w webhook.Webhook, last int64, err error) {
	if err := c.webhooks(); err != nil {
		return w, 0, err
	}
	name := c.r.PathValue("webhook_id")
	if w, err = c.Store.Webhooks().Get(c.ctx(), c.org(), id.Webhook(name)); err != nil {
		return w, 0, surface.MissingIf(err, "webhook", name)
	}
	last, err = c.Store.Events().Last(c.ctx(), c.org())
	return w, last, err
}

func (c *call) createWebhook(_ none, r webhookRequest) (out webhookSecretResponse, err error) {
	if err := c.webhooks(); err != nil {
		return out, err
	}
	if r.URL == nil {
		at := errs.NewFields("body")
		at.Add("missing", "field required", "url")
		return out, at.Err("api.webhooks")
	}
	w, plain, err := c.Webhooks.Create(c.ctx(), c.org(), c.actor, string(c.who.Key.User), r.draft())
	if err != nil {
		return out, err
	}
	return webhookSecretResponse{webhookModel(w, w.Position), plain.Reveal()}, nil
}

type webhookListResponse struct {
	Results []WebhookModel `json:"results"`
	Total   int            `json:"total"`
}

func (c *call) listWebhooks(none, none) (out webhookListResponse, err error) {
	if err := c.webhooks(); err != nil {
		return out, err
	}
	list, err := c.Store.Webhooks().List(c.ctx(), c.org(), store.Page{Limit: 1000})
	if err != nil {
		return out, err
	}
	last, err := c.Store.Events().Last(c.ctx(), c.org())
	out = webhookListResponse{Results: make([]WebhookModel, len(list.Items)), Total: len(list.Items)}
	for i, w := range list.Items {
		out.Results[i] = webhookModel(w, last)
	}
	return out, err
}

func (c *call) getWebhook(none, none) (WebhookModel, error) {
	w, last, err := c.webhook()
	return webhookModel(w, last), err
}

func (c *call) updateWebhook(_ none, r webhookRequest) (out WebhookModel, err error) {
	w, last, err := c.webhook()
	if err != nil {
		return out, err
	}
	w, err = c.Webhooks.Update(c.ctx(), c.org(), c.actor, w.ID, r.draft())
	return webhookModel(w, last), err
}

func (c *call) deleteWebhook(none, none) (none, error) {
	w, _, err := c.webhook()
	if err != nil {
		return none{}, err
	}
	return none{}, c.Webhooks.Delete(c.ctx(), c.org(), c.actor, w.ID)
}

func (c *call) rotateWebhook(none, none) (out webhookSecretResponse, err error) {
	w, last, err := c.webhook()
	if err != nil {
		return out, err
	}
	w, plain, err := c.Webhooks.Rotate(c.ctx(), c.org(), c.actor, w.ID)
	if err != nil {
		return out, err
	}
	return webhookSecretResponse{webhookModel(w, last), plain.Reveal()}, nil
}

type webhookTestResponse struct {
	Success   bool    `json:"success"`
	Status    *int    `json:"status" doc:"HTTP status of the answer; null when there was none"`
	Message   string  `json:"message"`
	EventID   string  `json:"event_id"`
	LatencyMs float64 `json:"latency_ms"`
}

func (c *call) testWebhook(none, none) (out webhookTestResponse, err error) {
	w, _, err := c.webhook()
	if err != nil {
		return out, err
	}
	began := time.Now()
	m := event.Message{ID: string(id.NewEvent()), Type: event.WebhookTest, Time: c.now(), Data: map[string]any{"webhook_id": string(w.ID)}}
	status, message, err := c.Webhooks.Test(c.ctx(), w, m)
	out = webhookTestResponse{Success: status >= 200 && status < 300, Message: message, EventID: m.ID, LatencyMs: float64(time.Since(began).Microseconds()) / 1000}
	if status != 0 {
		out.Status = &status
	}
	return out, err
}

type deliveryQuery struct {
	State  string `query:"state" oneof:"pending,parked"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" maxLength:"2000"`
}

type deliveryModel struct {
	EventID       string  `json:"event_id"`
	Type          string  `json:"type"`
	State         string  `json:"state" enum:"pending,parked"`
	Attempts      int     `json:"attempts"`
	NextAttemptAt *stamp  `json:"next_attempt_at"`
	LastStatus    *int    `json:"last_status"`
	LastError     *string `json:"last_error"`
	CreatedAt     stamp   `json:"created_at"`
	UpdatedAt     stamp   `json:"updated_at"`
}

type deliveryListResponse struct {
	Results    []deliveryModel `json:"results"`
	NextCursor *string         `json:"next_cursor"`
}

func (c *call) listDeliveries(q deliveryQuery, _ none) (out deliveryListResponse, err error) {
	w, _, err := c.webhook()
	if err != nil {
		return out, err
	}
	list, err := c.Store.Deliveries().List(c.ctx(), c.org(), w.ID, q.State, store.Page{Limit: q.Limit, Cursor: q.Cursor})
	out = deliveryListResponse{Results: make([]deliveryModel, len(list.Items)), NextCursor: text(list.Next)}
	for i, d := range list.Items {
		out.Results[i] = deliveryModel{
			EventID: d.Message, Type: d.Type, State: d.State, Attempts: d.Attempts, NextAttemptAt: maybe(d.NextAt), LastError: text(d.LastError),
			CreatedAt: at(d.CreatedAt), UpdatedAt: at(d.UpdatedAt),
		}
		if d.LastStatus != 0 {
			out.Results[i].LastStatus = &d.LastStatus
		}
	}
	return out, err
}

type retryDeliveriesRequest struct {
	EventIDs []string `json:"event_ids,omitempty" maxLength:"1000" doc:"these; without it all"`
}

type retryDeliveriesResponse struct {
	Count int `json:"count"`
}

func (c *call) retryDeliveries(_ none, r retryDeliveriesRequest) (out retryDeliveriesResponse, err error) {
	w, _, err := c.webhook()
	if err != nil || r.EventIDs != nil && len(r.EventIDs) == 0 {
		return out, err
	}
	out.Count, err = c.Webhooks.Redeliver(c.ctx(), c.org(), w.ID, r.EventIDs)
	return out, err
}
