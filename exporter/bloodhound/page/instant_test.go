package page

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestInstants compares the reader of instants with time.Parse: both read the same microsecond. The reader takes every form that
// servers write. One reader sees several days.
func TestInstants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d latestDay
		for range 3 {
			text := rapid.StringMatching(
				`(2026-0[12]-(28|29|3[012])|1969-12-31|[0-9a]{4}-1[0-3]-01)[Tt][0-2][0-9]:[0-6][0-9]:[0-6][0-9x]([.,][0-9]{0,10})?(Z|z|\+01:00|)`,
			).Draw(t, "text")
			want, err := time.Parse(time.RFC3339Nano, text)
			got, ok := d.utc([]byte(text))
			if ok && (err != nil || !got.Equal(want.Truncate(time.Microsecond)) || got.Location() != time.UTC) {
				t.Fatalf("%q is %s, want %s, %v", text, got, want, err)
			}
		}
		micros := rapid.Int64Range(-1<<51, 1<<51).Draw(t, "microseconds")
		at := time.UnixMicro(micros).UTC()
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000000Z07:00", "2006-01-02T15:04:05.000000000Z07:00"} {
			if got, ok := d.utc([]byte(at.Format(layout))); !ok || !got.Equal(at) {
				t.Fatalf("%s is %s, %t", at.Format(layout), got, ok)
			}
		}
	})
}
