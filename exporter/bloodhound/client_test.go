package bloodhound

import (
	"testing"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// New reports the faults of the connection's options beside the other faults.
func TestNewChecksItsOptions(t *testing.T) {
	_, err := New(Options{Connection: rest.Options{Rate: -1}, PageSize: -1})
	resttest.WantText(t, err, "URL is missing", "credentials are missing", "rate -1", "page size -1")
	_, err = New(Options{MaxBody: -1})
	resttest.WantText(t, err, "URL is missing", "largest body -1")
}

func TestNewFillsInTheDefaults(t *testing.T) {
	c := newClient(t, Options{})
	if o := c.options; o.PageSize != 5000 || c.pageSize() != 5000 || o.MaxBody != 64<<20 || o.MaxPage != 8<<20 {
		t.Errorf("%+v", o)
	}
	c.log.Warn("there is no log, and nothing breaks")
	if c = newClient(t, Options{MaxBody: 1 << 20}); c.options.MaxPage != 1<<20 {
		t.Errorf("a page may have %d bytes", c.options.MaxPage)
	}
}
