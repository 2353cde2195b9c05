package transport_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/transport"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for name, test := range map[string]struct {
		value, date string
		want        time.Duration
	}{
		"nothing":               {"", "", 0},
		"seconds":               {"90", "", 90 * time.Second},
		"seconds, and a date":   {"90", at(-time.Hour), 90 * time.Second},
		"no pause":              {"0", "", 0},
		"negative":              {"-5", "", 0},
		"a fraction":            {"1.5", "", 0},
		"rubbish":               {"soon", "", 0},
		"very many seconds":     {"18446744073709551615", "", 9_223_372_036 * time.Second},
		"too many digits":       {"18446744073709551616", "", 0},
		"by our clock":          {at(time.Minute), "", time.Minute},
		"by the server's":       {at(time.Minute), at(-time.Hour), 61 * time.Minute},
		"by a clock of rubbish": {at(time.Minute), "today", time.Minute},
		"over already":          {at(-time.Minute), "", -time.Minute},
		"a date in some age":    {at(1e6 * time.Hour), "", 1e6 * time.Hour},
	} {
		h := http.Header{}
		h.Set("Retry-After", test.value)
		if test.date != "" {
			h.Set("Date", test.date)
		}
		if got := transport.RetryAfter(h, now); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
