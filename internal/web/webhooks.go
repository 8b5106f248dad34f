package web

import (
	"net/http"
	"net/url"
	"strings"
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
	webhooksPath = "/webhooks"
	webhookPath  = webhooksPath + "/{webhook}"
)

func webhookPages() []page {
	return []page{
		{"GET " + webhooksPath, access.Admin, (*visit).listWebhooks},
		{"POST " + webhooksPath, access.Admin, (*visit).createWebhook},
		{"GET " + webhookPath, access.Admin, (*visit).showWebhook},
		{"POST " + webhookPath + "/test", access.Admin, (*visit).testWebhook},
		{"POST " + webhookPath + "/rotate", access.Admin, (*visit).rotateWebhook},
		{"POST " + webhookPath + "/enabled", access.Admin, (*visit).enableWebhook},
		{"POST " + webhookPath + "/retry", access.Admin, (*visit).retryDeliveries},
		{"POST " + webhookPath + "/delete", access.Admin, (*visit).deleteWebhook},
	}
}

func webhookURL(w webhook.Webhook) string { return webhooksPath + "/" + url.PathEscape(string(w.ID)) }

type webhookList struct {
	Now  time.Time
	Rows []webhook.Webhook
	Last int64 // the newest event
	Form []field
}

// allowWebhooks admits to what concerns the whole organization.
func (v *visit) allowWebhooks() error {
	if v.Webhooks == nil {
		return errs.New(errs.Unavailable, "web.webhooks", "this process sends no webhooks")
	}
	return v.reach().Covers(access.OfOrganization(v.org()))
}

func (v *visit) listWebhooks() error { return v.webhooksPage(http.StatusOK, nil, nil) }

func (v *visit) webhooksPage(status int, sent url.Values, failure error) error {
	if err := v.allowWebhooks(); err != nil {
		return err
	}
	found, err := v.Store.Webhooks().List(v.ctx(), v.org(), store.Page{Limit: webhookservice.MaxWebhooks})
	if err != nil {
		return err
	}
	last, err := v.Store.Events().Last(v.ctx(), v.org())
	if err != nil {
		return err
	}
	f := frame{Title: "Webhooks", Section: "webhooks"}
	if failure != nil {
		v.report(failure, status)
		f.Problem = v.problem(failure)
	}
	f.Data = webhookList{Now: v.now(), Rows: found.Items, Last: last, Form: filled([]field{
		{Name: "url", Label: "URL", Kind: "text", Help: "Where events are sent, by https."},
		{Name: "event_types", Label: "Events", Kind: "text", Optional: true, Help: "Types apart by spaces, such as sync.failed or object.*; without any, all. There are: " + strings.Join(event.Types(), ", ") + "."},
		{Name: "description", Label: "Description", Kind: "text", Optional: true},
	}, sent, f.Problem)}
	return v.show(status, "webhooks.html", f)
}

func (v *visit) createWebhook() error {
	if err := v.allowWebhooks(); err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	types := strings.FieldsFunc(form.Get("event_types"), func(r rune) bool { return r == ' ' || r == ',' })
	w, plain, err := v.Webhooks.Create(v.ctx(), v.org(), v.actor, string(v.user()), webhookservice.Draft{URL: new(form.Get("url")), Types: &types, Description: new(form.Get("description"))})
	if err != nil {
		return v.webhooksPage(surface.Status(err, true), form, err)
	}
	return v.webhookPage(http.StatusOK, w, webhookData{Secret: plain.Reveal()}, nil)
}

type webhookData struct {
	Now        time.Time
	Webhook    webhook.Webhook
	Sign       sign
	Behind     int64
	Deliveries []webhook.Delivery
	First      bool
	Next       string
	Secret     string // of one that was just made or rotated: shown this once
	Tested     bool
	Passed     bool
	Status     int
	Message    string
}

func (v *visit) webhook() (webhook.Webhook, error) {
	if err := v.allowWebhooks(); err != nil {
		return webhook.Webhook{}, err
	}
	w, err := v.Store.Webhooks().Get(v.ctx(), v.org(), id.Webhook(v.path("webhook")))
	return w, surface.MissingIf(err, "webhook", v.path("webhook"))
}

func (v *visit) showWebhook() error {
	w, err := v.webhook()
	if err != nil {
		return err
	}
	return v.webhookPage(http.StatusOK, w, webhookData{}, nil)
}

// deliveriesShown is how many deliveries stand on one page.
const deliveriesShown = 50

func (v *visit) webhookPage(status int, w webhook.Webhook, d webhookData, failure error) error {
	cursor := v.r.URL.Query().Get("cursor")
	found, err := v.Store.Deliveries().List(v.ctx(), v.org(), w.ID, "", store.Page{Limit: deliveriesShown, Cursor: cursor})
	if err != nil {
		return err
	}
	last, err := v.Store.Events().Last(v.ctx(), v.org())
	if err != nil {
		return err
	}
	d.Now, d.Webhook, d.Sign, d.Behind = v.now(), w, webhookSign(w), max(0, last-w.Position)
	d.Deliveries, d.First = found.Items, cursor == ""
	if found.Next != "" {
		d.Next = withQuery(webhookURL(w), url.Values{"cursor": {found.Next}})
	}
	f := frame{Title: w.URL, Section: "webhooks", Data: d}
	if failure != nil {
		v.report(failure, status)
		f.Problem = v.problem(failure)
	}
	return v.show(status, "webhook.html", f)
}

func webhookSign(w webhook.Webhook) sign {
	switch {
	case w.Status == webhook.Disabled:
		return sign{"off", "stop", "Disabled"}
	case w.Status == webhook.Parked:
		return sign{"bad", "bad", "Parked"}
	case w.Failures > 0:
		return sign{"warn", "bad", "Receiver is down"}
	}
	return sign{"good", "good", "Active"}
}

// testWebhook answers with the page and the result: nothing is changed by a test.
func (v *visit) testWebhook() error {
	w, err := v.webhook()
	if err != nil {
		return err
	}
	m := event.Message{ID: string(id.NewEvent()), Type: event.WebhookTest, Time: v.now(), Data: map[string]any{"webhook_id": string(w.ID)}}
	status, message, err := v.Webhooks.Test(v.ctx(), w, m)
	if err != nil {
		return v.webhookPage(surface.Status(err, true), w, webhookData{}, err)
	}
	return v.webhookPage(http.StatusOK, w, webhookData{Tested: true, Passed: status >= 200 && status < 300, Status: status, Message: sentence(message)}, nil)
}

func (v *visit) rotateWebhook() error {
	w, err := v.webhook()
	if err != nil {
		return err
	}
	w, plain, err := v.Webhooks.Rotate(v.ctx(), v.org(), v.actor, w.ID)
	if err != nil {
		return v.webhookPage(surface.Status(err, true), w, webhookData{}, err)
	}
	return v.webhookPage(http.StatusOK, w, webhookData{Secret: plain.Reveal()}, nil)
}

func (v *visit) enableWebhook() error {
	form, err := v.form()
	if err != nil {
		return err
	}
	on := form.Get("enabled") == "true"
	notice := "webhook-disabled"
	if on {
		notice = "webhook-enabled"
	}
	return v.changeWebhook(notice, func(w webhook.Webhook) error {
		_, err := v.Webhooks.Update(v.ctx(), v.org(), v.actor, w.ID, webhookservice.Draft{Enabled: &on})
		return err
	})
}

func (v *visit) retryDeliveries() error {
	return v.changeWebhook("redelivering", func(w webhook.Webhook) error {
		_, err := v.Webhooks.Redeliver(v.ctx(), v.org(), w.ID, nil)
		return err
	})
}

// changeWebhook does something to a webhook and goes back to its page.
func (v *visit) changeWebhook(notice string, do func(webhook.Webhook) error) error {
	w, err := v.webhook()
	if err != nil {
		return err
	}
	if err := do(w); err != nil {
		return v.webhookPage(surface.Status(err, true), w, webhookData{}, err)
	}
	return v.done(webhookURL(w), notice)
}

func (v *visit) deleteWebhook() error {
	w, err := v.webhook()
	if err != nil {
		return err
	}
	if err := v.Webhooks.Delete(v.ctx(), v.org(), v.actor, w.ID); err != nil {
		return v.webhookPage(surface.Status(err, true), w, webhookData{}, err)
	}
	return v.done(webhooksPath, "webhook-ended")
}
