package crashtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

const (
	archiveStream = "archive"
	webhookStream = "webhook"
)

// A place holds the archive and the positions of both streams. A test can look at every place as files.
type place struct {
	t                  *testing.T
	url                string   // of the folder that has them
	root               string   // the same folder, on this machine
	environ            []string // further settings of houndtrail
	archive, positions bucket.Bucket
	expires            bool // leases live by expiry and not by a lock
	backfilled         bool // there are journals of backfills
}

// directory is a place whose leases end with their holder.
func directory(t *testing.T) *place {
	p := &place{t: t, root: t.TempDir()}
	p.url = "file://" + p.root
	for folder, b := range map[string]*bucket.Bucket{"archive": &p.archive, "positions": &p.positions} {
		d, err := dir.Open(filepath.Join(p.root, folder))
		if err != nil {
			t.Fatal(err)
		}
		*b = d
	}
	return p
}

// onS3 is a place in a bucket of versitygw.
func onS3(t *testing.T) (*place, servers.S3) {
	s := servers.VersityGW(t)
	servers.CreateBucket(t, s, "audit", false)
	p := &place{
		t: t, url: "s3://audit/trail", root: filepath.Join(s.DataDir, "audit", "trail"), expires: true,
		environ: []string{
			"HOUNDTRAIL_S3_ENDPOINT=" + s.Endpoint,
			"HOUNDTRAIL_S3_REGION=" + s.Region,
			"HOUNDTRAIL_S3_PATH_STYLE=true",
			"AWS_ACCESS_KEY_ID=" + s.AccessKey,
			"AWS_SECRET_ACCESS_KEY=" + s.SecretKey,
			"AWS_EC2_METADATA_DISABLED=true",
		},
	}
	for folder, b := range map[string]*bucket.Bucket{"archive": &p.archive, "positions": &p.positions} {
		opened, err := s3.Open(t.Context(), s3.Options{
			Bucket: "audit", Prefix: "trail/" + folder, Endpoint: s.Endpoint, Region: s.Region, PathStyle: true,
			AccessKey: s.AccessKey, SecretKey: s.SecretKey,
		})
		if err != nil {
			t.Fatal(err)
		}
		*b = opened
	}
	return p, s
}

// lease is the part of a lease that a test needs.
type lease struct {
	State  string `json:"state"`
	Holder struct {
		PID int `json:"pid"`
	} `json:"holder"`
	Intents []window.Window `json:"intents"`
}

func (p *place) leaseFile(stream string) string {
	return filepath.Join(p.root, "positions", stream, "state", "lease.json")
}

func (p *place) lease(stream string) (l lease) {
	p.t.Helper()
	p.read(p.leaseFile(stream), &l)
	return l
}

// letLeasesExpire ends the minute for which a killed holder keeps others away: the store's clock decides, and by it the lease
// is now two minutes older. It is called while no houndtrail runs.
func (p *place) letLeasesExpire() {
	p.t.Helper()
	if !p.expires {
		return
	}
	past := time.Now().Add(-2 * time.Minute)
	for _, stream := range []string{archiveStream, webhookStream} {
		if err := os.Chtimes(p.leaseFile(stream), past, past); err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.t.Fatal(err)
		}
	}
}

// A committed entry: the part of it that a test needs.
type committed struct {
	Cursor time.Time     `json:"cursor"`
	Window window.Window `json:"window"`
}

// newest is a stream's newest entry; the zero value if there is none.
func (p *place) newest(stream string) (entry committed) {
	p.t.Helper()
	entries, err := filepath.Glob(filepath.Join(p.root, "positions", stream, strings.Repeat("[0-9]", 17), strings.Repeat("[0-9]", 20)+".json"))
	if err != nil {
		p.t.Error(err)
	}
	if len(entries) > 0 {
		p.read(entries[len(entries)-1], &entry)
	}
	return entry
}

// cursor is a stream's cursor; the zero time if there is no entry.
func (p *place) cursor(stream string) time.Time {
	p.t.Helper()
	return p.newest(stream).Cursor
}

// read decodes a file, if there is one. houndtrail never leaves a file half written. It may be called from any goroutine.
func (p *place) read(path string, into any) {
	p.t.Helper()
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		p.t.Errorf("%s: %v", path, err)
	}
}

// A moment says in which state a kill has hit houndtrail.
type moment struct {
	working bool // in a cycle, of either stream
	open    bool // after a window was declared and before it was committed
	several bool // as open, and more than one window
	rescan  bool // as open, and the window is one of a rescan
	written bool // as open, and after an object of the window was written to the archive
}

func (p *place) moment() (m moment) {
	p.t.Helper()
	for _, stream := range []string{archiveStream, webhookStream} {
		l := p.lease(stream)
		if l.State != "held" {
			continue
		}
		m.working = true
		open := l.Intents[slices.IndexFunc(l.Intents, p.newest(stream).Window.Equal)+1:]
		if len(open) == 0 {
			continue
		}
		m.open = true
		m.several = m.several || len(open) > 1
		name := open[0].Start.Format("20060102T150405.000000Z")
		if open[0].Pass > 0 {
			m.rescan = true
			name = fmt.Sprintf("%s-%d", name, open[0].Pass)
		}
		if stream == archiveStream {
			objects, err := filepath.Glob(filepath.Join(p.root, "archive", "audit", "*", "*", name+".parquet"))
			if err != nil {
				p.t.Fatal(err)
			}
			m.written = len(objects) > 0
		}
	}
	return m
}

// count adds the moment to the earlier ones.
func (m moment) count(hit tally) {
	for name, is := range map[string]bool{
		"in a cycle": m.working, "with a window begun and not committed": m.open, "with several begun": m.several, "in a rescan": m.rescan,
		"with an object of it written": m.written,
	} {
		if is {
			hit[name]++
		}
	}
}

// leftovers counts the files that a killed run was still writing: their names begin with a dot, and no run reads them.
func (p *place) leftovers() (n int) {
	p.t.Helper()
	err := filepath.WalkDir(p.root, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(entry.Name(), ".tmp-") {
			n++
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}
