package deploy_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// .ci/walk runs the test below with this file, and with -terraform and -made.
var printedTable = flag.String("ddl", "", "what houndtrail ddl --dialect glue prints for the installation that Terraform plans")

// TestPlanned: the table that Terraform plans for one installation is the one that ddl prints for its archive. It keeps the values that
// the plan has for the chart.
func TestPlanned(t *testing.T) {
	if *printedTable == "" {
		t.Skip("bash .ci/walk runs it: it needs Terraform, and an archive")
	}
	planned, ok := terraformInstallations(t, "walk")["walk"]
	if !ok {
		t.Fatal("Terraform planned nothing")
	}
	printed, err := os.ReadFile(*printedTable)
	if err != nil {
		t.Fatal(err)
	}
	call, ok := decoded(t, string(printed)).(map[string]any)
	if !ok {
		t.Fatalf("ddl prints no object: %s", printed)
	}
	if diff := cmp.Diff(call["TableInput"], plain(t, planned.table)); diff != "" {
		t.Errorf("the table (-ddl +planned):\n%s", diff)
	}
	if len(planned.questions) == 0 || planned.helm == nil {
		t.Errorf("%d questions, and the values %v", len(planned.questions), planned.helm)
	}
}
