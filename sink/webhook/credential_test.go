package webhook_test

import (
	"bytes"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// A user may renew a secret while a request with the old secret is under way.
func TestRenewedCredential(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values []string // of the file, at each look
		posts  []string // the values that the sink sends
		fails  bool
	}{
		"renewed":      {[]string{"old", "new"}, []string{"old", "new"}, false},
		"the same":     {[]string{"old", "old"}, []string{"old"}, true},
		"renewed, bad": {[]string{"old", "bad", "new"}, []string{"old", "bad"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks := 0
			rc := &receiver{answer: func(_ int, p post) (reply, error) {
				if p.header.Get("Authorization") == "new" {
					return answer(http.StatusNoContent), nil
				}
				return answer(http.StatusUnauthorized), nil
			}}
			_, err := write(t.Context(), t, rc, webhook.Options{Authorization: func() (string, error) {
				looks++
				return test.values[min(looks, len(test.values))-1], nil
			}})
			var sent []string
			for _, p := range rc.posts {
				sent = append(sent, p.header.Get("Authorization"))
			}
			if (err != nil) != test.fails || !slices.Equal(sent, test.posts) {
				t.Errorf("sent %q, error %v", sent, err)
			}
		})
	}
}

// A receiver that drops old records says that it has them. So the sink sends nothing of such a window, unless the user knows this.
func TestStaleRecords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		format string
		age    time.Duration
		allow  bool
		stops  bool
	}{
		"fresh":       {format.Datadog, 17 * time.Hour, false, false},
		"old":         {format.Datadog, 19 * time.Hour, false, true},
		"old, known":  {format.Datadog, 19 * time.Hour, true, false},
		"a day":       {format.Loki, 24 * time.Hour, false, false},
		"eight days":  {format.Loki, 8 * 24 * time.Hour, false, true},
		"a year":      {format.ElasticBulk, 365 * 24 * time.Hour, false, false},
		"a year, too": {format.NDJSON, 365 * 24 * time.Hour, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rs := sinktest.Generate(t, 1, 2, time.Now().Add(-test.age), time.Hour)
				var sent []post
				s := newSink(t, webhook.Options{
					Format: test.format, AllowStale: test.allow, Transport: &receiver{answer: func(_ int, p post) (reply, error) {
						sent = append(sent, p)
						switch test.format {
						case format.Datadog:
							return answer(202), nil
						case format.ElasticBulk:
							return answer(200, `{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]}`), nil
						}
						return answer(204), nil
					}},
				})
				_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
				if (err != nil) != test.stops || (len(sent) == 0) != test.stops {
					t.Fatalf("%d posts, error %v", len(sent), err)
				}
				if test.stops {
					wants(t, err, "event acme/1/", "nothing of the window was sent", "set HOUNDTRAIL_WEBHOOK_ALLOW_STALE=true")
				}
				if test.allow && bytes.Contains(sent[0].body, []byte(`"timestamp"`)) {
					t.Errorf("an old record has its own time: %s", sent[0].body)
				}
			})
		})
	}
}
