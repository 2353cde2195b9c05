package bloodhound_test

import (
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// TestAbout: what each generation says of itself, of the user, and by its answers of its habits.
func TestAbout(t *testing.T) {
	t.Parallel()
	const id, key = "0a6d3f2e-5b1c-4e8f-9a7d-1c2b3d4e5f60", "c2VjcmV0"
	now := time.Now().UTC()
	rows := []bloodhoundtest.Row{{CreatedAt: now.Add(-3 * time.Hour)}, {CreatedAt: now.Add(-2 * time.Hour)}, {CreatedAt: now.Add(-time.Hour)}}
	for _, c := range []struct {
		profile bloodhoundtest.Profile
		fault   bloodhoundtest.Fault
		want    bloodhound.Traits
	}{
		{bloodhoundtest.V84, nil, bloodhound.Traits{Records: 3, Count: 3}},
		{bloodhoundtest.Documented, nil, bloodhound.Traits{Records: 3, Count: -1}},
		{bloodhoundtest.V7, faults.NewestFirst(), bloodhound.Traits{Records: 3, Count: 3, Unsorted: true}},
		{bloodhoundtest.V84, faults.IgnoresWindow(), bloodhound.Traits{Records: 3, Count: 3, Unbounded: true}},
	} {
		server := bloodhoundtest.New(bloodhoundtest.Options{Profile: c.profile, Tokens: map[string]string{id: key}, Rows: rows})
		if c.fault != nil {
			server.Fault(c.fault)
		}
		source := httptest.NewServer(server)
		t.Cleanup(source.Close)
		u, err := url.Parse(source.URL)
		if err != nil {
			t.Fatal(err)
		}
		client, err := bloodhound.New(bloodhound.Options{Connection: rest.Options{
			URL: u, Auth: rest.Token(id, func() (string, error) { return key, nil }), Rate: 1000,
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := client.Traits(t.Context()); got != c.want || err != nil {
			t.Errorf("%s: traits are %+v, %v; want %+v", c.profile, got, err, c.want)
		}
		if version, err := client.Version(t.Context()); version == "" || err != nil {
			t.Errorf("%s: the version is %q, %v", c.profile, version, err)
		}
		user, err := client.User(t.Context())
		may := slices.Contains(user.Permissions, "audit_log/Read") || slices.Contains(user.Permissions, "auth/ManageUsers")
		if err != nil || user.Name != "houndtrail" || len(user.Roles) != 1 || !may {
			t.Errorf("%s: the user is %+v, %v", c.profile, user, err)
		}
	}
}
