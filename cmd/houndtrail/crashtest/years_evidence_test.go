package crashtest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// keepHead keeps the head of today, as an auditor does.
func (y *years) keepHead() {
	y.t.Helper()
	r := y.verified(y.acme, "--heads")
	if err := os.WriteFile(y.kept, []byte(r.Streams[0].Head), 0o600); err != nil {
		y.t.Fatal(err)
	}
}

// verified is the report of a verification, which has to find nothing.
func (y *years) verified(c *chronicle, args ...string) (r verify.Report) {
	y.t.Helper()
	said := c.output(0, append([]string{"verify", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(said), &r); err != nil {
		y.t.Fatal(err)
	}
	for _, f := range r.Findings {
		if f.Severity != verify.Info {
			y.t.Errorf("verify %s of %s: %s %s: %s", strings.Join(args, " "), c.tenant, f.Severity, f.Code, f.Text)
		}
	}
	if len(r.Streams) != 1 || r.Streams[0].Tenant != c.tenant || !r.Streams[0].Signed || r.Streams[0].Delivered != int64(len(c.served)) {
		y.t.Errorf("verify %s of %s, which has %d records: %+v", strings.Join(args, " "), c.tenant, len(c.served), r.Streams)
	}
	return r
}

// verify verifies both journals in all depths, and compares the sums with those of the rows and of the files.
func (y *years) verify() {
	y.t.Helper()
	for _, c := range y.both() {
		page := filepath.Join(y.t.TempDir(), "report.html")
		outside := []string{"--key", y.public}
		if c == y.acme {
			outside = append(outside, "--head", y.kept)
		}
		for _, depth := range [][]string{{"--heads"}, {}, {"--read"}, {"--read", "--report", page}} {
			var r verify.Report
			y.step(fmt.Sprintf("verify %.16s of %s", strings.Join(depth, " "), c.tenant), func() {
				r = y.verified(c, append(outside, depth...)...)
			})
			if len(r.Keys) != 1 || r.Heads != len(outside)/2-1 {
				y.t.Errorf("verify %s of %s opened %d keys, and %d heads led to it", depth, c.tenant, len(r.Keys), r.Heads)
			}
			if r.Depth == verify.Heads {
				continue
			}
			if files := len(y.objects(c)); r.Objects != int64(files) || r.Records != int64(len(c.served)) {
				y.t.Errorf("verify %s of %s: %d objects with %d records; there are %d with %d", depth, c.tenant, r.Objects, r.Records,
					files, len(c.served))
			}
		}
		y.judgePage(c, page)
	}
}

// judgePage looks for the sums on the page of a verification.
func (y *years) judgePage(c *chronicle, path string) {
	y.t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		y.t.Fatal(err)
	}
	failures := 0
	for i := range c.served {
		if c.served[i].Status == "failure" {
			failures++
		}
	}
	for _, want := range []string{
		fmt.Sprintf("%s objects, %s records looked at", commas(len(y.objects(c))), commas(len(c.served))),
		fmt.Sprintf(`<tfoot><tr><th scope="row">Sum</th><td class="n">%s</td>`, commas(len(c.served))),
		fmt.Sprintf(`<td class="n">%s</td><td class="opt">`, commas(failures)),
	} {
		if !strings.Contains(string(body), want) {
			y.t.Errorf("the page of %s, of %d bytes, lacks %q", c.tenant, len(body), want)
		}
	}
	y.figure("page of "+c.tenant, "%.0f kB", float64(len(body))/1e3)
}

// commas writes a number as people do.
func commas(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// prove proves ten records to a third party: seven of the larger tenant, of all its time, and two of these have the same id.
func (y *years) prove(when string) {
	y.t.Helper()
	acme, other := y.acme.served, y.other.served
	restored, begun := twins(acme)
	for c, indexes := range map[*chronicle][]int{
		y.acme:  {0, len(acme) / 5, restored, begun, len(acme) / 2, len(acme) * 9 / 10, len(acme) - 1},
		y.other: {0, len(other) / 2, len(other) - 1},
	} {
		for _, i := range indexes {
			row := c.served[i]
			at := row.CreatedAt.UTC()
			path := filepath.Join(y.t.TempDir(), "proof.json")
			c.output(0, "prove", "--id", fmt.Sprint(row.ID), "--since", at.Format(time.RFC3339Nano),
				"--until", at.Add(time.Microsecond).Format(time.RFC3339Nano), "-o", path)
			// The third party has nothing but the proof and the key.
			said := newRuns(y.t, nil).output(0, "verify", "--proof", path, "--key", y.public)
			for _, want := range []string{
				fmt.Sprintf("id                 %d\n", row.ID),
				"created_at         " + at.Format("2006-01-02T15:04:05.999999Z") + "\n",
				fmt.Sprintf("action             %q\n", row.Action), "\nProved: ", "\njournal            " + c.tenant + "/",
			} {
				if !strings.Contains(said, want) {
					y.t.Errorf("%s: the proof of %d of %s lacks %q:\n%s", when, row.ID, c.tenant, want, said)
				}
			}
		}
	}
	if said := y.acme.output(2, "prove", "--id", fmt.Sprint(acme[begun].ID)); said != "" {
		y.t.Errorf("an id of two records is proved: %s", said)
	}
	y.other.output(2, "prove", "--id", fmt.Sprint(acme[len(acme)-1].ID)) // of the other tenant
}

// twins are two rows with one id: a restored database has handed it out again.
func twins(rows []bloodhoundtest.Row) (earlier, later int) {
	first := map[int64]int{}
	for i := range rows {
		if j, is := first[rows[i].ID]; is {
			return j, i
		}
		first[rows[i].ID] = i
	}
	return 0, 0
}
