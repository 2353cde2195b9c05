package read_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

func TestExtents(t *testing.T) {
	store := new(checkpointtest.Memory)
	extents := func(tenants ...string) []read.Extent {
		t.Helper()
		found, err := read.Extents(t.Context(), store, tenants...)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if got := extents(); len(got) > 0 {
		t.Errorf("an empty archive: %v", got)
	}
	day := func(text string) time.Time {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, key := range []string{
		"audit/tenant=b/dt=2005-06-07/20050607T000000.000000Z.parquet", "audit/tenant=b/dt=1999-12-31/19991231T000000.000000Z-12.parquet",
		"audit/tenant=b/dt=2001-01-01/20050607T000000.000000Z.ndjson.gz", "audit/tenant=a/dt=2026-01-01/20260101T000000.000000Z.parquet",
		"audit/tenant=c/dt=2026-01-01/foreign.parquet", "quarantine/tenant=d/x.json",
	} {
		if _, err := store.Put(t.Context(), key, []byte("x"), ""); err != nil {
			t.Fatal(err)
		}
	}
	a := read.Extent{Tenant: "a", First: day("2026-01-01"), Last: day("2026-01-01")}
	b := read.Extent{Tenant: "b", First: day("1999-12-31"), Last: day("2005-06-07")}
	for _, test := range []struct {
		tenants []string
		want    []read.Extent
	}{
		{nil, []read.Extent{a, b}}, {[]string{"b"}, []read.Extent{b}}, {[]string{"b", "c", "a"}, []read.Extent{a, b}},
	} {
		if diff := cmp.Diff(test.want, extents(test.tenants...)); diff != "" {
			t.Errorf("extents of %v (-want +got):\n%s", test.tenants, diff)
		}
	}
	if _, err := read.Extents(t.Context(), store, "a/b"); err == nil {
		t.Error("a tenant with a slash is listed")
	}
}
