package bloodhound

import (
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// Has finds a record by its id and its instant, on every generation of servers, also among others of the same instant.
func TestHas(t *testing.T) {
	for _, profile := range bloodhoundtest.Profiles {
		t.Run(string(profile), func(t *testing.T) {
			var rows []bloodhoundtest.Row
			for id := range int64(30) {
				rows = append(rows, bloodhoundtest.Row{ID: id + 1, CreatedAt: epoch, Action: "A"})
			}
			server, c, _, _ := day(t, bloodhoundtest.Options{Profile: profile})
			server.Restore(rows...)
			for _, test := range []struct {
				id   int64
				at   time.Time
				want bool
			}{{17, epoch, true}, {17, epoch.Add(time.Microsecond), false}, {31, epoch, false}} {
				if got, err := c.Has(t.Context(), test.id, test.at); err != nil || got != test.want {
					t.Errorf("id %d at %s: %t, %v", test.id, test.at, got, err)
				}
			}
		})
	}
}
