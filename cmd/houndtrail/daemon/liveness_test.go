package daemon

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/houndtrail/houndtrail/sink/webhook"
)

// TestLiveness: the daemon is alive while its loops turn, however their cycles end.
func TestLiveness(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now := start
	h := newHealth(paced(cron.Every(5*time.Minute), "archive", "webhook"))
	h.now = func() time.Time { return now }
	for _, p := range h.streams {
		p.since, p.turn.at = start, start
	}
	m := NewMetrics("acme", "dev")
	m.heard = h.hears
	served := pages(Options{Version: "dev"}, m, h)
	webhookRests := func() { h.turns("webhook", true); h.turns("webhook", false) }
	for _, step := range []struct {
		at   time.Duration // since the start
		do   func()
		says string // "" if the daemon is not alive
	}{
		{0, func() { h.turns("archive", true); webhookRests() }, "archive: runs a cycle\nwebhook: waits for its next cycle\n"},
		{6 * time.Minute, nil, "archive: runs a cycle\nwebhook: waits for its next cycle\n"},
		{7*time.Minute + time.Second, nil, ""}, // the schedule of the webhook is not kept
		{8 * time.Minute, func() { h.over("webhook") }, "archive: runs a cycle\nwebhook: stopped\n"},
		{30 * time.Minute, nil, "archive: runs a cycle\nwebhook: stopped\n"},
		{31 * time.Minute, nil, ""},
		{32 * time.Minute, func() { m.Request("timeout", time.Minute) }, "archive: runs a cycle\nwebhook: stopped\n"},
		{62 * time.Minute, nil, "archive: runs a cycle\nwebhook: stopped\n"},
		{63 * time.Minute, nil, ""},
		{64 * time.Minute, func() { m.Retry("timeout") }, "archive: runs a cycle\nwebhook: stopped\n"},
		{94 * time.Minute, func() { m.Posted(webhook.Attempt{}) }, "archive: runs a cycle\nwebhook: stopped\n"},
		{124 * time.Minute, func() { m.Reposted(webhook.Retry{}) }, "archive: runs a cycle\nwebhook: stopped\n"},
		{154 * time.Minute, func() { m.Stream("archive").CaughtUp(now, 0) }, "archive: runs a cycle\nwebhook: stopped\n"},
		{184 * time.Minute, func() { h.turns("archive", false) }, "archive: waits for its next cycle\nwebhook: stopped\n"},
		{192 * time.Minute, nil, ""},
		{193 * time.Minute, func() { h.turns("archive", true) }, "archive: runs a cycle\nwebhook: stopped\n"},
	} {
		now = start.Add(step.at)
		if step.do != nil {
			step.do()
		}
		answer := httptest.NewRecorder()
		served.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/livez", nil))
		switch {
		case step.says == "" && answer.Code != http.StatusServiceUnavailable:
			t.Errorf("after %s it is alive: %s", step.at, answer.Body)
		case step.says != "" && (answer.Code != http.StatusOK || answer.Body.String() != step.says):
			t.Errorf("after %s: %d\n%s\nwant\n%s", step.at, answer.Code, answer.Body, step.says)
		}
	}
}
