package bloodhound

import (
	"testing"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// If a login fails, the client does not change the size of pages.
func TestLoginDoesNotLowerThePage(t *testing.T) {
	server, c, start, end := day(t, bloodhoundtest.Options{Users: []bloodhoundtest.User{{Name: "a", Password: "b"}}})
	options := c.options
	options.Connection.Auth = rest.Login("a", resttest.Always("b"))
	c = newClient(t, options)
	server.FaultAt("/api/v2/login", faults.Huge(rest.OrdinaryBody+1))
	size := c.pageSize()
	if _, err := c.Fetch(t.Context(), start, end, Limits{}); err == nil {
		t.Fatal("a login with a reply that is too large went well")
	}
	if c.pageSize() != size {
		t.Errorf("pages of %d after a login that failed, %d before", c.pageSize(), size)
	}
}
