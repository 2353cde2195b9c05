package status

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
)

// TestSourceThatHangs: the user waits no longer than the limit of status, and gets the answers until then.
func TestSourceThatHangs(t *testing.T) {
	t.Parallel()
	for hangs, clock := range map[string]string{"/health": "local", "/api/v2/audit": "server"} {
		t.Run(clock, func(t *testing.T) {
			t.Parallel()
			end := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == hangs {
					select {
					case <-end:
					case <-r.Context().Done():
					}
				}
			}))
			t.Cleanup(server.Close)
			t.Cleanup(func() { close(end) })
			c, err := config.Load([]string{
				"HOUNDTRAIL_BLOODHOUND_URL=" + server.URL, "HOUNDTRAIL_BLOODHOUND_JWT=a.b.c", "HOUNDTRAIL_ARCHIVE_URL=file://" + t.TempDir(),
			}, config.NeedLook)
			if err != nil {
				t.Fatal(err)
			}
			p := stream.Process{Log: zap.NewNop(), Interactive: true, Patience: 50 * time.Millisecond}
			began := time.Now()
			s := askSource(t.Context(), c, p, false)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
			if s.status != sourceFailed || s.clock != clock || !s.oldest.IsZero() || time.Since(s.now).Abs() > time.Minute {
				t.Errorf("the source is %+v", s)
			}
			for _, part := range []string{"no answer within 500ms", hangs} {
				if !strings.Contains(s.warning, part) {
					t.Errorf("the warning does not say %q: %s", part, s.warning)
				}
			}
			if said := strings.Contains(s.warning, "this machine's clock"); said != (clock == "local") {
				t.Errorf("whose clock it is: %s", s.warning)
			}
		})
	}
}
