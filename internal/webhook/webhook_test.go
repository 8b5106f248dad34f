package webhook_test

import (
	"encoding/base64"
	"testing"
	"time"

	"mooring/internal/event"
	"mooring/internal/secret"
	"mooring/internal/webhook"
)

// The example of the specification.
func TestSignatureOfTheSpecification(t *testing.T) {
	s := secret.New("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	got := webhook.Sign([]secret.String{s}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("got %s", got)
	}
	two := webhook.Sign([]secret.String{webhook.NewSecret(make([]byte, 32)), s}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if len(two) != 2*len(got)+1 || two[len(got)+1:] != got {
		t.Errorf("with two secrets: %s", two)
	}
	if plain := webhook.NewSecret(make([]byte, 32)).Reveal(); plain != "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)) {
		t.Errorf("a secret is written %s", plain)
	}
}

func TestPausesLastForDays(t *testing.T) {
	var total time.Duration
	n := 1
	for ; ; n++ {
		wait, ok := webhook.Pause(n, 0)
		if !ok {
			break
		}
		total += wait
	}
	if n != 10 || total < 60*time.Hour || total > 90*time.Hour {
		t.Errorf("%d waits, %v in all", n-1, total)
	}
	if wait, _ := webhook.Pause(1, time.Hour); wait != time.Hour {
		t.Errorf("the receiver asked for an hour, and gets %v", wait)
	}
	if wait, _ := webhook.Pause(1, 1000*time.Hour); wait != 24*time.Hour {
		t.Errorf("the receiver asked for weeks, and gets %v", wait)
	}
}

func TestWhatAWebhookWants(t *testing.T) {
	m := event.Message{Type: event.ObjectCreated, Data: map[string]any{"bucket_id": "bkt_a", "connection_id": "conn_a"}}
	for _, c := range []struct {
		hook webhook.Webhook
		want bool
	}{
		{webhook.Webhook{}, true},
		{webhook.Webhook{Types: []string{"object.created"}}, true},
		{webhook.Webhook{Types: []string{"sync.*", "object.*"}}, true},
		{webhook.Webhook{Types: []string{"object.updated", "obj.*"}}, false},
		{webhook.Webhook{Bucket: "bkt_a"}, true},
		{webhook.Webhook{Bucket: "bkt_b"}, false},
		{webhook.Webhook{Connection: "conn_b"}, false},
	} {
		if got := c.hook.Wants(m); got != c.want {
			t.Errorf("%+v: %v", c.hook, got)
		}
	}
}
