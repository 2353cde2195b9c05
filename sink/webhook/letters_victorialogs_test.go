package webhook_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// The same with a real receiver behind the one that refuses. It has 9,999 records, each once, and has dropped nothing. After the
// receiver is mended, the letter arrives with the same bytes, under the same event id.
func TestVictoriaLogsGetsAllButThePoison(t *testing.T) {
	t.Parallel()
	for name, endpoint := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logs := servers.VictoriaLogs(t)
			rs := sinktest.Generate(t, 1, 10_000, time.Now().Add(-3*time.Hour).Truncate(time.Microsecond), 150*time.Millisecond)
			p, l := newPoisoned(name, rs[3210]), newLetterbox()
			p.through = http.DefaultTransport
			o := formatOptions(p, l)
			o.URL, o.AllowStale = logs.URL+endpoint, false
			if name == format.ElasticBulk {
				p.through = nil // a batch with a bad item would not arrive as a whole
			}
			receipt, err := sinktest.Write(t.Context(), newSink(t, o), windowOf(rs), rs)
			if err != nil {
				t.Fatal(err)
			}
			checkLettered(t, p, receipt, rs, rs[3210])
			letter, err := l.box().Read(t.Context(), receipt.Letters[0])
			if err != nil {
				t.Fatal(err)
			}
			o.Transport, o.Letters = http.DefaultTransport, nil
			sent, err := newSink(t, o).Resend(t.Context(), letter, nil)
			if err != nil || sent.Records != 1 || sent.MinID != rs[3210].ID {
				t.Fatalf("the letter again: %+v, %v", sent, err)
			}
			if want := len(rs); name == format.ElasticBulk {
				checkStored(t, logs, name, rs[3210:3211])
			} else {
				checkStored(t, logs, name, rs)
				checkAllTaken(t, logs, want)
			}
		})
	}
}
