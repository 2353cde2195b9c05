package bloodhound

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// A batch carries the server's clock as its last page told it.
func TestBatchTellsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const behind = 3 * time.Hour
		c := newClient(t, Options{
			Connection: rest.Options{Transport: resttest.Tripper(func(*http.Request) (*http.Response, error) {
				time.Sleep(time.Second)
				return resttest.Respond(200, `{"count":0,"limit":5000,"skip":0,"data":{"logs":[]}}`,
					"Date", time.Now().Add(-behind).UTC().Format(http.TimeFormat)), nil
			})},
		})
		b, err := c.Fetch(t.Context(), time.Now().Add(-time.Hour), time.Now(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Release()
		if want := (Reading{Server: time.Now().UTC().Add(-behind), Local: time.Now()}); b.Clock() != want {
			t.Errorf("%v, want %v", b.Clock(), want)
		}
	})
}
