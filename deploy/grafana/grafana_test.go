package grafana

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the dashboard anew")

// TestDashboardIsUpToDate: the file that users import is the one that this package makes.
func TestDashboardIsUpToDate(t *testing.T) {
	t.Parallel()
	want, err := JSON()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("houndtrail.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("houndtrail.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the dashboard is stale: go test ./deploy/grafana -update\n%s", diff)
	}
}

// TestPanels: every panel has a question, fits the grid, and each stat has colours and words for the case that no data comes.
// Every query is limited to the tenants that the user chose, but for those about watch itself, which is of no tenant.
func TestPanels(t *testing.T) {
	t.Parallel()
	titles := map[string]bool{}
	short := regexp.MustCompile(`\$(s|t|by)\b`) // for fill alone
	for _, r := range rows() {
		for _, v := range r.views {
			if v.title == "" || titles[r.title+"/"+v.title] || len(v.queries) == 0 || v.width < 1 || v.width > 24 {
				t.Errorf("%s/%s: it has no title of its own, no query, or no place", r.title, v.title)
			}
			titles[r.title+"/"+v.title] = true
			if v.kind == stat && (len(v.steps) < 2 || v.none == "") {
				t.Errorf("%s: a stat without data must not look like a good one", v.title)
			}
			for _, q := range v.queries {
				whole := strings.Contains(q.expr, "houndtrail_watch_")
				if !whole && !strings.Contains(q.expr, `tenant=~"$tenant"`) || short.MatchString(q.expr) {
					t.Errorf("%s: %s", v.title, q.expr)
				}
			}
		}
	}
}
