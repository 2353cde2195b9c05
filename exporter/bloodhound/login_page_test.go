package bloodhound

import (
	"testing"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// A login that fails says nothing about the size of pages.
func TestLoginDoesNotLowerThePage(t *testing.T) {
	server, c, start, end := day(t, bloodhoundtest.Options{Users: []bloodhoundtest.User{{Name: "a", Password: "b"}}})
	c.options.Auth = Login("a", func() (string, error) { return "b", nil })
	c.options.MaxBody = 1 << 20
	server.FaultAt(loginPath, bloodhoundtest.Huge(2<<20))
	size := c.pageSize()
	if _, err := c.Fetch(t.Context(), start, end, Limits{}); err == nil {
		t.Fatal("a login with a reply that is too large went well")
	}
	if c.pageSize() != size {
		t.Errorf("pages of %d after a login that failed, %d before", c.pageSize(), size)
	}
}
