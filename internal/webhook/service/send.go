package service

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/outbound"
	"mooring/internal/secret"
	"mooring/internal/webhook"
)

// sendTimeout bounds one request to a receiver.
const sendTimeout = 15 * time.Second

// result is what became of a message.
type result struct {
	status int           // of HTTP; 0: no answer
	after  time.Duration // that the receiver asks to wait
	err    error         // why there was no answer
	gone   bool          // its event is no longer kept: nothing was sent
}

func (r result) ok() bool { return r.status >= 200 && r.status < 300 }

// down reports an answer that is about the receiver rather than about the message.
func (r result) down() bool {
	if r.gone {
		return false
	}
	switch r.status {
	case 0, http.StatusRequestTimeout, http.StatusGone, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return r.status >= 500
}

// text says what failed, in our words: never what the receiver answered.
func (r result) text() string {
	switch {
	case r.ok():
		return ""
	case r.gone:
		return "the event is no longer kept"
	case r.status != 0:
		return "the receiver answered " + strconv.Itoa(r.status)
	}
	return errs.From(r.err).Message()
}

// allDown reports whether no message was taken, for reasons of the receiver's.
func allDown(results []result) (bool, result) {
	for _, r := range results {
		if !r.down() {
			return false, r
		}
	}
	if len(results) == 0 {
		return false, result{}
	}
	return true, results[0]
}

// send sends messages, some at once, and returns what became of each. Once a
// few have found the receiver down the rest is spared.
func (t *turn) send(ctx context.Context, messages []event.Message) []result {
	out := make([]result, len(messages))
	var wg sync.WaitGroup
	for begin := 0; begin < len(messages); begin += perWebhook {
		end := min(begin+perWebhook, len(messages))
		for i := begin; i < end; i++ {
			if messages[i].ID == "" { // its event is gone
				out[i] = result{gone: true}
				continue
			}
			wg.Go(func() { out[i] = deliver(ctx, t.Client, t.hook, t.secrets, messages[i], t.Now()) })
		}
		wg.Wait()
		if down, r := allDown(out[begin:end]); down {
			for i := end; i < len(out); i++ {
				out[i] = r
			}
			break
		}
	}
	return out
}

// deliver sends one message, signed, and to one address only: a redirect is the
// receiver's answer, and no success.
func deliver(ctx context.Context, client *http.Client, w webhook.Webhook, secrets []secret.String, m event.Message, now time.Time) result {
	body, err := webhook.Body(w.Org, m)
	if err != nil {
		return result{err: errs.Wrap(err, errs.Internal, "webhook.send", "the message can't be written")}
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return result{err: errs.New(errs.Invalid, "webhook.send", "the webhook's address is not a URL")}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Mooring-Webhooks/1")
	req.Header.Set("Webhook-Id", m.ID)
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("Webhook-Signature", webhook.Sign(secrets, m.ID, now, body))
	res, err := outbound.NoRedirects(client).Do(req)
	if err != nil {
		e := errs.From(err)
		if ctx.Err() != nil {
			e = errs.New(errs.Unavailable, "webhook.send", "the receiver did not answer within "+sendTimeout.String())
		}
		return result{err: e}
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection can be used again
	return result{status: res.StatusCode, after: outbound.RetryAfter(res.Header, now)}
}
