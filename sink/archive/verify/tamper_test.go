package verify_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// A vandal changes a place without Houndtrail.
type vandal struct {
	t      *testing.T
	place  place
	all    map[string][]byte // the objects as they were
	put    func(name string, body []byte)
	remove func(name string)
}

// edit replaces a text in an object.
func (v *vandal) edit(name, old, text string) {
	v.t.Helper()
	body := bytes.Replace(v.all[name], []byte(old), []byte(text), 1)
	if bytes.Equal(body, v.all[name]) {
		v.t.Fatalf("%s has no %q", name, old)
	}
	v.put(name, body)
}

// flip changes one bit in the middle of an object.
func flip(body []byte) []byte {
	body = bytes.Clone(body)
	body[len(body)/2] ^= 1
	return body
}

// newest is the serial of the newest entry of the archive's journal.
func (v *vandal) newest() int { return len(entries(v.t, v.all, archived)) }

// victim returns an object that an entry of the archive names, and the entry.
func (v *vandal) victim() (name string, e checkpoint.Checkpoint) {
	for _, e := range entries(v.t, v.all, archived)[2:] {
		if len(e.Objects) > 0 && v.all["files/"+e.Objects[0].Key] != nil && e.Kind != checkpoint.KindCompact {
			return "files/" + e.Objects[0].Key, e
		}
	}
	v.t.Fatal("no entry has an object")
	return "", e
}

// drop removes the newest entries of the archive's journal.
func (v *vandal) drop(n int) {
	for i := range n {
		v.remove(entryOf(archived, v.newest()-i))
	}
}

// orphans returns the findings about the objects of lost entries: the objects that they name, and those that they replaced.
func (v *vandal) orphans(from, to int) (list []string) {
	all := entries(v.t, v.all, archived)
	for _, e := range all[from:to] {
		for _, o := range e.Objects {
			if v.all["files/"+o.Key] != nil {
				list = append(list, "error object-unknown 0")
			}
		}
		if e.Compacted == nil {
			continue
		}
		for _, r := range e.Compacted.Replaced {
			for _, e := range slices.Concat(all[:from], all[to:], entries(v.t, v.all, filled)) {
				if slices.ContainsFunc(e.Objects, func(o checkpoint.Object) bool { return o.Key == r.Key }) {
					list = append(list, fmt.Sprint("error object-missing ", e.Serial))
				}
			}
		}
	}
	return list
}

const (
	hintName  = "positions/archive/state/latest"
	leaseName = "positions/archive/state/lease.json"
	lost      = 3      // the number of dropped entries
	lake      = "lake" // the bucket
)

// misplaced returns the findings if two entries are cut out and the later ones take their places.
func (v *vandal) misplaced() []string {
	found := append(v.orphans(2, 4), fmt.Sprint("error entries-lost ", v.newest()-1))
	for serial := 3; serial <= v.newest()-2; serial++ {
		found = append(found, fmt.Sprint("error entry-misplaced ", serial))
	}
	return found
}

// A tampering is made in a directory and in a bucket with versions. The verification must name it in both, and in the bucket often
// more exactly.
type tampering struct {
	name    string
	do      func(v *vandal)
	dir, s3 func(v *vandal) []string // the findings, as "severity code entry"
	kept    func(v *vandal) []string // the further findings with the heads that a reader kept; nil if there are none
	some    bool                     // more findings are allowed
}

// leftovers returns the findings about the objects that a crash left, if no lease names them.
func (v *vandal) leftovers() (list []string) {
	named := map[string]bool{}
	for _, stream := range []string{archived, filled} {
		for _, e := range entries(v.t, v.all, stream) {
			for _, o := range e.Objects {
				named["files/"+o.Key] = true
			}
		}
	}
	for name := range v.all {
		if strings.HasPrefix(name, "files/audit/") && !named[name] {
			list = append(list, "error object-unknown 0")
		}
	}
	return list
}

// renumber moves entries to the places of two that are cut out.
func (v *vandal) renumber(rewrite bool) {
	for serial := 3; serial <= v.newest()-2; serial++ {
		body := v.all[entryOf(archived, serial+2)]
		if rewrite {
			body = bytes.Replace(body, fmt.Appendf(nil, `"serial":%d,`, serial+2), fmt.Appendf(nil, `"serial":%d,`, serial), 1)
		}
		v.put(entryOf(archived, serial), body)
	}
	v.drop(2)
}

func always(found ...string) func(*vandal) []string {
	return func(*vandal) []string { return found }
}

func atVictim(code string) func(*vandal) []string {
	return func(v *vandal) []string {
		_, e := v.victim()
		return []string{fmt.Sprintf("error %s %d", code, e.Serial)}
	}
}

// lostEntries returns the findings if the newest entries are gone.
func lostEntries(more ...string) func(v *vandal) []string {
	return func(v *vandal) []string {
		found := v.orphans(v.newest()-lost, v.newest())
		for _, f := range more {
			if strings.HasSuffix(f, " ") {
				f = fmt.Sprint(f, v.newest()-lost+1)
			}
			found = append(found, f)
		}
		return found
	}
}

func tamperings() []tampering {
	setBack := func(v *vandal) {
		v.drop(lost)
		e := entries(v.t, v.all, archived)[v.newest()-lost]
		v.put(hintName, fmt.Appendf(nil, `{"serial":%d,"sha256":"%s"}`, v.newest()-lost, e.PreviousSHA256))
		v.remove(leaseName)
	}
	rolledBack := func(v *vandal) []string { return []string{fmt.Sprint("error rolled-back ", v.newest()-lost+1)} }
	return append(append(forgeries(), keyForgeries()...), []tampering{
		{
			name: "a middle entry edited", do: func(v *vandal) { v.edit(entryOf(archived, 3), `"read":`, `"read":1`) },
			dir: always("error entry-changed 3"), s3: always("error entry-shadowed 3"),
		},
		{
			name: "a middle entry and its link edited", do: func(v *vandal) { v.edit(entryOf(archived, 3), `"previous_sha256":"`, `"previous_sha256":"0`) },
			dir: always("error entry-changed 3"), s3: always("error entry-shadowed 3"),
		},
		{
			name: "a middle entry cut short", do: func(v *vandal) { v.put(entryOf(archived, 3), v.all[entryOf(archived, 3)][:50]) },
			dir: func(v *vandal) []string { return append(v.orphans(2, 3), "error entry-changed 3") }, s3: always("error entry-shadowed 3"),
		},
		{
			name: "entries cut out", do: func(v *vandal) { v.remove(entryOf(archived, 3)); v.remove(entryOf(archived, 4)) },
			dir: func(v *vandal) []string { return append(v.orphans(2, 4), "error entry-missing 3") },
			s3:  always("error entry-hidden 3", "error entry-hidden 4"),
		},
		{
			name: "entries cut out and the rest moved up", do: func(v *vandal) { v.renumber(false) },
			dir: func(v *vandal) []string { return v.misplaced() },
			s3: func(v *vandal) []string {
				return append(v.misplaced(), fmt.Sprint("error entry-hidden ", v.newest()-1))
			},
			kept: func(v *vandal) []string { return []string{fmt.Sprint("error rolled-back ", v.newest()-1)} },
		},
		{
			name: "the newest dropped", do: func(v *vandal) { v.drop(lost) },
			dir: lostEntries("error entries-lost "), s3: lostEntries("error entries-lost ", "error entry-hidden "), kept: rolledBack,
		},
		{
			name: "the newest dropped, the hint too", do: func(v *vandal) { v.drop(lost); v.remove(hintName) },
			dir: lostEntries("error entries-lost "), s3: lostEntries("error entries-lost ", "error entry-hidden "), kept: rolledBack,
		},
		{
			name: "the newest dropped, the hint and the lease too", do: func(v *vandal) { v.drop(lost); v.remove(hintName); v.remove(leaseName) },
			dir: func(v *vandal) []string { return append(lostEntries("error hint-missing 0")(v), v.leftovers()...) },
			s3: func(v *vandal) []string {
				return append(lostEntries("error entries-lost ", "error entry-hidden ")(v), v.leftovers()...)
			}, kept: rolledBack,
		},
		{
			name: "the newest dropped, the hint set back", do: setBack,
			dir: func(v *vandal) []string { return append(lostEntries("warn tip-unsealed 0")(v), v.leftovers()...) },
			s3: func(v *vandal) []string {
				return append(lostEntries("warn tip-unsealed 0", "error entries-lost ", "error entry-hidden ")(v), v.leftovers()...)
			}, kept: rolledBack,
		},
		{
			name: "the newest edited", do: func(v *vandal) { v.edit(entryOf(posted, len(entries(v.t, v.all, posted))), `"read":`, `"read":1`) },
			dir: func(v *vandal) []string {
				return []string{v.at("entry-changed", 0), v.at("entry-signature", 0)}
			},
			s3: func(v *vandal) []string {
				return []string{fmt.Sprint("error entry-shadowed ", len(entries(v.t, v.all, posted)))}
			},
		},
		{
			name: "the hint removed", do: func(v *vandal) { v.remove("positions/webhook/state/latest") },
			dir: always("error hint-missing 0"), s3: always("error hint-missing 0"),
		},
		{
			name: "an object replaced", do: func(v *vandal) { name, _ := v.victim(); v.put(name, flip(v.all[name])) },
			dir: atVictim("object-differs"), s3: atVictim("object-shadowed"),
		},
		{
			name: "an object cut short", do: func(v *vandal) { name, _ := v.victim(); v.put(name, v.all[name][:len(v.all[name])-1]) },
			dir: atVictim("object-size"), s3: atVictim("object-shadowed"),
		},
		{
			name: "an object removed", do: func(v *vandal) { name, _ := v.victim(); v.remove(name) },
			dir: atVictim("object-missing"), s3: atVictim("object-hidden"),
		},
		{name: "an object replaced with its entry", do: func(v *vandal) {
			name, e := v.victim()
			body := flip(v.all[name])
			v.put(name, body)
			v.edit(entryOf(archived, int(e.Serial)), e.Objects[0].SHA256, hexSum(body))
		}, dir: func(v *vandal) []string {
			_, e := v.victim()
			return []string{fmt.Sprint("error entry-changed ", e.Serial), fmt.Sprint("error object-contents ", e.Serial)}
		}, s3: func(v *vandal) []string {
			_, e := v.victim()
			return []string{fmt.Sprint("error entry-shadowed ", e.Serial), fmt.Sprint("error object-shadowed ", e.Serial)}
		}},
		{name: "an object smuggled in", do: func(v *vandal) {
			name, _ := v.victim()
			folder := name[:strings.LastIndex(name, "/")+1]
			v.put(folder+"20240101T000000.000000Z.parquet", v.all[name])
			v.put(folder+"more.parquet", v.all[name])
		}, dir: always("error object-unknown 0", "error object-unknown 0"), s3: always("error object-unknown 0", "error object-unknown 0")},
	}...)
}

// expect verifies and compares the findings.
func (c tampering) expect(t *testing.T, v *vandal, depth verify.Depth, want func(*vandal) []string) {
	t.Helper()
	c.do(v)
	c.compare(t, v.place.pinned(depth), want(v))
	if c.kept != nil {
		c.compare(t, v.place.pinned(verify.Objects, v.kept()...), append(want(v), c.kept(v)...))
	}
}

func (c tampering) compare(t *testing.T, o verify.Options, found []string) {
	t.Helper()
	depth := o.Depth
	got, report := run(t, o)
	if c.some {
		got = slices.DeleteFunc(got, func(f string) bool { return !slices.Contains(found, f) })
	}
	slices.Sort(got)
	slices.Sort(found)
	if len(o.Heads) > 0 { // the store and the reader may have the same head
		got, found = slices.Compact(got), slices.Compact(found)
	}
	if diff := cmp.Diff(found, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", depth, diff)
		for _, f := range report.Findings {
			t.Logf("%s %s %d: %s", f.Severity, f.Code, f.Entry, f.Text)
		}
	}
}

func TestTamperingInADirectory(t *testing.T) {
	t.Parallel()
	all := bodies(t)
	for _, c := range tamperings() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.expect(t, inFolder(t, t.TempDir(), all), verify.Read, c.dir)
		})
	}
}

// TestTamperingInABucketWithVersions: in a bucket with versions under Object Lock, the original is still there, and the
// verification finds it.
func TestTamperingInABucketWithVersions(t *testing.T) {
	t.Parallel()
	all, server := bodies(t), servers.VersityGW(t)
	servers.CreateBucket(t, server, lake, true)
	var cases atomic.Int64
	for _, c := range tamperings() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := inBucket(t, server, fmt.Sprintf("case%d", cases.Add(1)), all)
			c.expect(t, v, verify.Objects, c.s3)
		})
	}
}

// inFolder copies a sound archive into a folder.
func inFolder(t *testing.T, root string, all map[string][]byte) *vandal {
	t.Helper()
	v := &vandal{t: t, place: folders(t, root), all: all}
	v.put = func(name string, body []byte) {
		path := filepath.Join(root, name)
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, body, 0o644))
	}
	v.remove = func(name string) { check(t, os.Remove(filepath.Join(root, name))) }
	for name, body := range all {
		v.put(name, body)
	}
	return v
}

// inBucket copies a sound archive below a prefix of a bucket.
func inBucket(t *testing.T, server servers.S3, prefix string, all map[string][]byte) *vandal {
	t.Helper()
	name := lake
	open := func(folder string) *s3.Bucket {
		b, err := s3.Open(t.Context(), s3.Options{
			Bucket: name, Prefix: prefix + "/" + folder, Endpoint: server.Endpoint, Region: server.Region, PathStyle: true,
			AccessKey: server.AccessKey, SecretKey: server.SecretKey,
		})
		check(t, err)
		return b
	}
	v := &vandal{t: t, place: place{open("files"), open("positions")}, all: all}
	v.put = func(key string, body []byte) {
		_, err := server.Client.PutObject(t.Context(), &sdk.PutObjectInput{
			Bucket: &name, Key: aws.String(prefix + "/" + key), Body: bytes.NewReader(body), ChecksumAlgorithm: "SHA256",
		})
		check(t, err)
	}
	v.remove = func(key string) {
		_, err := server.Client.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: &name, Key: aws.String(prefix + "/" + key)})
		check(t, err)
	}
	for key, body := range all {
		v.put(key, body)
	}
	return v
}

// TestRenumbered: if entries are cut out and the rest is numbered anew, no entry fits the previous one.
func TestRenumbered(t *testing.T) {
	t.Parallel()
	root, all := t.TempDir(), bodies(t)
	v := inFolder(t, root, all)
	v.renumber(true)
	_, report := run(t, v.place.options(verify.Objects))
	changed := 0
	for _, f := range report.Findings {
		if f.Code == verify.EntryChanged {
			changed++
		}
	}
	if got := codes(report); !slices.Contains(got, verify.EntriesLost) || changed < v.newest()-7 {
		t.Errorf("%d entries changed, of %d: %q", changed, v.newest(), got)
	}
}

// TestFlippedBelowTheStore: a byte changes below the store. The store's checksum is still the one of the original, and a
// verification that reads finds the change.
func TestFlippedBelowTheStore(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, lake, false)
	v := inBucket(t, server, "below", bodies(t))
	name, e := v.victim()
	check(t, os.WriteFile(filepath.Join(server.DataDir, "lake", "below", name), flip(v.all[name]), 0o644))
	if got, _ := run(t, v.place.options(verify.Objects)); len(got) > 0 {
		t.Errorf("without reading: %q", got)
	}
	if got, _ := run(t, v.place.options(verify.Read)); !slices.Equal(got, []string{fmt.Sprint("error object-differs ", e.Serial)}) {
		t.Errorf("by reading: %q", got)
	}
}
