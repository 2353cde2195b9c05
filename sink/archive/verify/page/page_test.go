package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

var update = flag.Bool("update", false, "rewrite the golden pages")

func rendered(t *testing.T, f Facts) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPage compares whole pages with golden files. Before you commit another one, look at it in a browser.
func TestPage(t *testing.T) {
	t.Parallel()
	const days = 75
	for name, f := range map[string]Facts{"clean": clean(t, days), "findings": damaged(t, days)} {
		got := rendered(t, f)
		path := filepath.Join("testdata", name+".html")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is another page; look at what go test -update makes of it", path)
		}
	}
}

// TestHostile: any person who tries to log in can choose a name in the log, and an attacker may forge a journal.
func TestHostile(t *testing.T) {
	t.Parallel()
	const evil = "</style></bdi></td><script>alert(1)</script>\"'\\;}@import url(//x.example.com)<img src=x onerror=alert(1)>{{.}}\u202e\x00\xff"
	f := clean(t, 3)
	each, sound := f.Account.Object()
	each(&record.Record{ActorName: evil, ActorEmail: evil + "@", ActorID: evil + "#", Action: evil, CreatedAt: begin})
	sound()
	d := f.Account.archive
	d.events = []event{{At: begin, Journal: evil, What: evil}}
	d.holes = []hole{{checkpoint.Hole{Reason: evil, CreatedAt: begin}, evil, 1}}
	d.sample.Key, d.sample.SHA256, d.sources["archive"] = evil, evil, evil
	s := &f.Report.Streams[0]
	s.Tenant, s.Origin, s.Head = evil, evil, evil
	f.Archive, f.Journals, f.Version = evil, evil, evil
	f.Report.Findings = append(f.Report.Findings, verify.Finding{Code: evil, Severity: verify.Error, Stream: evil, Key: evil, Text: evil, Advice: evil})
	for _, unread := range [][]string{nil, {evil}} {
		f.Report.Unread = unread
		f.Report.Counts[verify.Error] = 1
		got := rendered(t, f)
		for _, bad := range []string{"<script", "<img", "ZgotmplZ", " style=", "\u202e", "\x00", "\xff"} {
			if strings.Contains(got, bad) {
				t.Errorf("%q is in the page", bad)
			}
		}
		css := styleOf(t, got)
		if strings.Count(got, "</style>") != 1 || strings.Contains(css, "@import") || strings.Contains(css, "alert(") {
			t.Errorf("the style was left: %s", css[strings.Index(css, "@page"):])
		}
		if !strings.Contains(got, "&lt;script&gt;alert(1)") || !strings.Contains(got, `\u202e`) {
			t.Error("the text is not shown")
		}
	}
}

func styleOf(t *testing.T, page string) string {
	t.Helper()
	css := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(page)
	if css == nil {
		t.Fatal("no style")
	}
	return css[1]
}

// TestPageRules: no title can end the string or the style that it is in.
func TestPageRules(t *testing.T) {
	t.Parallel()
	got := pageRules("a\"b'c\\d;e}f<g{h@i(j)k\nl é", begin)
	if !strings.Contains(got, `content:"a?b?c?d?e?f?g?h?i?j?k?l ?"}@bottom-left{content:"Made 2026-01-01 09:30:00 UTC"}`) {
		t.Error(got)
	}
}

// TestPolicy: a browser applies the style of the page, and no other style or script that an attacker could put in.
func TestPolicy(t *testing.T) {
	t.Parallel()
	got := rendered(t, clean(t, 3))
	sum := sha256.Sum256([]byte(styleOf(t, got)))
	want := html.EscapeString("default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'")
	if !strings.Contains(html.UnescapeString(got), html.UnescapeString(want)) {
		t.Errorf("no policy %s", want)
	}
}

// TestByHand runs the commands of the page: openssl accepts the head on the page with the key on the page.
func TestByHand(t *testing.T) {
	t.Parallel()
	checkpointtest.NeedsPrograms(t, "sh", "openssl", "sha256sum", "base64", "od")
	f := clean(t, 3)
	got := rendered(t, f)
	text := func(id string) string {
		match := regexp.MustCompile(`(?s)<pre id="` + id + `">(.*?)</pre>`).FindStringSubmatch(got)
		if match == nil {
			t.Fatalf("no %s in the page", id)
		}
		return html.UnescapeString(match[1])
	}
	for id, commands := range map[string]string{"head-archive": "short", "note-archive": "commands"} {
		for _, changed := range []bool{false, true} {
			dir := t.TempDir()
			head := text(id)
			if changed {
				head = strings.Replace(head, "\nrecords ", "\nrecords 1", 1)
			}
			for name, body := range map[string]string{"head.note": head, "owner.pub.pem": text("pem")} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-c", text(commands))
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if good := err == nil && strings.Contains(string(out), "Signature Verified Successfully"); good == changed {
				t.Errorf("%s, changed %t: %v\n%s", id, changed, err, out)
			}
			if !strings.HasPrefix(string(out), f.Keys[0].Fingerprint()) {
				t.Errorf("another fingerprint: %s", out)
			}
		}
	}
}

// TestPeople: without people, the page has no name of a person, and no text that could quote one.
func TestPeople(t *testing.T) {
	t.Parallel()
	f := clean(t, 3)
	f.Account = NewAccount(false, journals()...)
	recorded(f.Account, 50)
	f.Account.archive.holes = []hole{{checkpoint.Hole{Reason: "it says analyst-04"}, "archive", 1}}
	got := rendered(t, f)
	if strings.Contains(got, "analyst") || strings.Contains(got, "svc-collector") {
		t.Error("the page names a person")
	}
	if len(f.Account.names.actors) > 0 {
		t.Error("the account keeps people")
	}
	if !strings.Contains(got, "CreateAuthToken") || !strings.Contains(got, "<code>--no-actors</code>") {
		t.Error("the actions are missing, or the page does not say that the actors are")
	}
}

// TestClaims: a check is not good if it was not done, or if a part could not be read.
func TestClaims(t *testing.T) {
	t.Parallel()
	levels := func(f Facts) (all string) { // a letter for each check
		for _, c := range f.checks() {
			all += c.Level[:1]
		}
		return all
	}
	f := clean(t, 3)
	usual := strings.Join(f.unchecked(), "\n")
	if got := levels(f); got != strings.Repeat("o", 9) {
		t.Errorf("clean: %s", got)
	}
	for _, test := range []struct {
		name   string
		change func(*Facts)
		want   string
		says   string
	}{
		{"heads", func(f *Facts) { f.Report.Depth = verify.Heads }, "oooooonnn", "Earlier entries than the newest 256"},
		{"objects", func(f *Facts) { f.Report.Depth = verify.Objects }, "oooooooon", "The records were not read."},
		{"a sample", func(f *Facts) { f.Report.Sample = &verify.Sample{} }, strings.Repeat("o", 9), "Only a part of the entries"},
		{"no archive", func(f *Facts) { f.Archive = "" }, "oooooonnn", "No object of the archive was looked at"},
		{"no key", func(f *Facts) { f.Keys = nil }, "ooooonooo", "No signature was opened"},
		{"unread", func(f *Facts) { f.Report.Unread = []string{"timeout"} }, strings.Repeat("n", 9), "nothing is claimed"},
		{"no head", func(f *Facts) { f.Report.Heads = 0 }, strings.Repeat("o", 9), "not compared with a head"},
		{"a part", func(f *Facts) { f.Report.Since = begin }, strings.Repeat("o", 9), "Objects of other days"},
		{"a stream", func(f *Facts) { f.All = false }, strings.Repeat("o", 9), "Only the journals above"},
		{"another code", func(f *Facts) {
			f.Report.Findings = []verify.Finding{{Code: "later", Severity: verify.Error}, {Code: verify.IDTwice, Severity: verify.Warning}}
		}, strings.Repeat("o", 8) + "wb", "BloodHound's statement"},
	} {
		f := clean(t, 3)
		test.change(&f)
		if got := levels(f); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		if got := strings.Join(f.unchecked(), "\n"); !strings.Contains(got, test.says) || strings.Contains(usual, test.says) && test.name != "another code" {
			t.Errorf("%s: it does not say %q, or a clean page says so too:\n%s", test.name, test.says, got)
		}
	}
}

// TestResult: only a sound verification is good. Findings beyond the list count. If the tables differ from the report, the page
// says so.
func TestResult(t *testing.T) {
	t.Parallel()
	f := clean(t, 3)
	if v := f.view(); v.Level != "ok" || v.Apart != 0 || strings.Contains(rendered(t, f), "These tables have") {
		t.Errorf("clean: %s, %d records apart", v.Level, v.Apart)
	}
	f.Report.Records++
	if got := rendered(t, f); !strings.Contains(got, "These tables have") {
		t.Error("the page does not say that its tables lack a record")
	}
	f.Report.Unread = []string{"timeout"}
	if v := f.view(); v.Level != "warn" {
		t.Errorf("unread: %s", v.Level)
	}
	f = damaged(t, 3)
	f.Report.More = map[verify.Code]int{verify.ObjectMissing: 5}
	f.Report.Counts[verify.Error] += 5
	if v := f.view(); v.Level != "bad" || v.MoreFindings != 5 || v.Checks[6].Result != "6 errors (1)" {
		t.Errorf("more: %s, %d more, %+v", v.Level, v.MoreFindings, v.Checks[6])
	}
}

// TestUndrawn: a day is no gap if the verification read no entry of it.
func TestUndrawn(t *testing.T) {
	t.Parallel()
	for why, change := range map[string]func(*verify.Report){
		"only the newest entries":      func(r *verify.Report) { r.Depth = verify.Heads },
		"only a part of the entries":   func(r *verify.Report) { r.Sample = &verify.Sample{} },
		"not everything could be read": func(r *verify.Report) { r.Unread = []string{"timeout"} },
	} {
		f := clean(t, 3)
		change(f.Report)
		if got := rendered(t, f); strings.Contains(got, "are exact") || !strings.Contains(got, "There is no calendar, since "+why) {
			t.Errorf("%s: the page draws days", why)
		}
	}
}

// TestWords: evidence must not contain these claims.
func TestWords(t *testing.T) {
	t.Parallel()
	never := regexp.MustCompile(`(?i)\b(compliant|certified|admissible|tamper-proof|time-stamped|cannot be altered|complete log)\b`)
	for name, f := range map[string]Facts{"clean": clean(t, 3), "findings": damaged(t, 3)} {
		if found := never.FindString(rendered(t, f)); found != "" {
			t.Errorf("%s says %q", name, found)
		}
	}
}

// TestSums: both tables have the sum of all records, for any number of names.
func TestSums(t *testing.T) {
	t.Parallel()
	a := NewAccount(true, journals()...)
	for i := range 3 {
		each, sound := a.Object()
		for n := range mostNames {
			name := strings.Repeat("x", n%200) + string(rune('a'+i)) + time.Duration(n).String()
			each(&record.Record{Action: name, ActorName: name, CreatedAt: begin.Add(time.Duration(n) * time.Minute)})
		}
		sound()
	}
	each, _ := a.Object() // the object is not as it was committed
	each(&record.Record{Action: "forged"})
	for what, all := range map[string][]row{"action": a.names.byAction(), "actor": a.names.byActor()} {
		sum := int64(0)
		for _, r := range all {
			sum += r.Records
		}
		if sum != 3*mostNames || a.names.sum.Records != sum || len(all) != mostRows+1 || !all[mostRows].More {
			t.Errorf("by %s: %d records in %d rows", what, sum, len(all))
		}
	}
}
