package webhook_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/houndtrail/houndtrail/sink/webhook"
)

// Each retry is a warning with the answer, the time of the next try, and the number of tries. The text is short and has none of our
// secrets.
func TestRetriesAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		var told []webhook.Retry
		rc := &receiver{answer: script(
			answer(503, "Retry-After: 7", "over\x1b[31m loaded SECRET\nsecond line"),
			answer(500, `cannot store {"event_id":"acme/1/2","actor_name":"anna"}`),
			answer(502, strings.Repeat("é", 500)), errBroken, answer(200, signOn), 204,
		)}
		_, err := write(t.Context(), t, rc, webhook.Options{
			Log: zap.New(core), Retried: func(r webhook.Retry) { told = append(told, r) },
			Authorization: func() (string, error) { return "Bearer SECRET", nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []map[string]any{
			{"reason": "503", "status": int64(503), "answer": "over[31m loaded [redacted]", "pause": 7 * time.Second},
			{"reason": "500", "status": int64(500), "answer": `cannot store {"event_id":...`},
			{"reason": "502", "status": int64(502), "answer": strings.Repeat("é", 200) + "..."},
			{"reason": "transport"},
			{"reason": "unexpected", "status": int64(200), "answer": ""},
		}
		if logs.Len() != len(want) || len(told) != len(want) {
			t.Fatalf("%d lines and %d retries, want %d", logs.Len(), len(told), len(want))
		}
		for i, line := range logs.All() {
			got := line.ContextMap()
			if got["try"] != int64(i+1) || got["pause"] != told[i].Pause || told[i].Pause <= 0 || told[i].Number != i+1 ||
				told[i].Reason != want[i]["reason"] || got["batch"] != rc.posts[i].header.Get("Idempotency-Key") || told[i].Err == nil {
				t.Errorf("line %v, retry %+v", got, told[i])
			}
			for _, key := range []string{"reason", "status", "answer"} {
				if diff := cmp.Diff(want[i][key], got[key]); diff != "" {
					t.Errorf("try %d, %s:\n%s", i+1, key, diff)
				}
			}
			text := fmt.Sprint(got["error"])
			if len(text) > 700 || strings.ContainsAny(text, "\n\x1b") || strings.Contains(text, "SECRET") {
				t.Errorf("error %q", text)
			}
		}
		if told[0].Pause != 7*time.Second {
			t.Errorf("pause %s", told[0].Pause)
		}
	})
}

// If no other attempt follows a failure, it is no retry: only the error says it.
func TestFinalFailuresAreNoRetries(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.DebugLevel)
	for _, status := range []int{200, 401, 503} {
		_, _ = write(t.Context(), t, &receiver{answer: script(status)}, webhook.Options{
			Log: zap.New(core), RetryFor: 1, Retried: func(r webhook.Retry) { t.Errorf("%d: %+v", status, r) },
		})
	}
	if logs.Len() > 0 {
		t.Errorf("%v", logs.All())
	}
}
