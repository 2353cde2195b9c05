package doctor

import (
	"context"
	"iter"
	"path"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// The groups of the stores.
const (
	archiveStore = "archive"
	journalStore = "journals"
	anchorStore  = "anchors"
)

// A store is one place for objects, with a probe in it. A check fills in a field before the checks that need it.
type store struct {
	*patient
	group   string
	at      config.StoreURL
	setting string // the setting that names the place
	key     string // the key of the probe
	open    func(context.Context, *stream.Set) (bucket.Bucket, error)

	way     way
	b       bucket.Bucket
	listed  error
	body    []byte // the body of the probe, as last written
	version string
	made    string // the first folder that the probe needs and that was missing; "" if there is none
}

// probeKey is the key of the probe in a store of journals or of anchors. It is beside the working state of the journals, and no
// stream has this name.
const probeKey = "doctor/state/probe.json"

// stores are the places of the patient, each once.
func stores(p *patient) (all []*store) {
	c := p.config
	add := func(group string, at config.StoreURL, name, key string, open func(context.Context, *stream.Set) (bucket.Bucket, error)) {
		if at == "" && p.unusable(strings.TrimPrefix(name, config.Prefix)) == "" {
			return
		}
		s := &store{patient: p, group: group, at: at, setting: name, key: key, open: open}
		s.way.server, s.way.url, s.way.setting = "S3", "https://s3."+c.S3.Region+".amazonaws.com", setting.S3Region+" and "+name
		if c.S3.Endpoint != "" {
			s.way.server, s.way.url, s.way.setting = c.S3.Endpoint.URL().Host, string(c.S3.Endpoint), setting.S3Endpoint
		}
		s.way.authority, s.way.stage = "AWS_CA_BUNDLE", exporter.StageSink
		if folder := s.folder(); folder != "" {
			s.made = firstMissing(folder)
		}
		all = append(all, s)
	}
	add(archiveStore, c.Archive.URL, setting.ArchiveURL, read.ProbeKey(c.Tenant),
		func(ctx context.Context, s *stream.Set) (bucket.Bucket, error) { return s.Files(ctx) })
	add(journalStore, c.Checkpoint.URL, setting.CheckpointURL, probeKey,
		func(ctx context.Context, s *stream.Set) (bucket.Bucket, error) { return s.Journals(ctx) })
	add(anchorStore, c.Anchor.URL, setting.AnchorURL, probeKey,
		func(ctx context.Context, s *stream.Set) (bucket.Bucket, error) { return s.Anchors(ctx) })
	return all
}

func storeChecks() []check[*store] {
	return []check[*store]{
		{name: "place", about: "the place can be opened, and a list there gets an answer", run: (*store).place},
		{
			name: "credentials", about: "S3: there are credentials; AWS gives them for the pod's token, by the trust policy of the role",
			needs: []string{"place"}, run: (*store).credentials,
		},
		{
			name: "proxy", about: "S3: the proxy on the way, if there is one, lets requests through",
			needs: []string{"credentials"}, run: (*store).proxy,
		},
		{name: "address", about: "S3: the name is known, and the address takes connections", needs: []string{"proxy"}, run: (*store).address},
		{
			name: "certificate", about: "S3: the chain is trusted, fits the name, and does not end soon",
			needs: []string{"address"}, run: (*store).certificate,
		},
		{name: "list", about: "the objects may be listed", needs: []string{"certificate"}, run: (*store).list},
		{name: "identity", about: "AWS: the role or user of the credentials, by STS", needs: []string{"certificate"}, run: (*store).identity},
		{name: "region", about: "AWS: the region of the bucket", needs: []string{"list"}, run: (*store).region},
		{name: "create", about: "an object may be created: the probe", needs: []string{"list"}, run: (*store).create},
		{name: "read", about: "the probe may be read, and is as it was written", needs: []string{"create"}, run: (*store).read},
		{
			name: "conditions", about: "the store refuses to create an object a second time, and to replace a version that is gone",
			needs: []string{"create", "read"}, run: (*store).conditions,
		},
		{
			name: "checksum", about: "S3: the store keeps the SHA-256 of the whole object",
			needs: []string{"read"}, after: []string{"conditions"}, run: (*store).checksum,
		},
		{
			name: "encryption", about: "S3: how the probe is encrypted",
			needs: []string{"read"}, after: []string{"conditions"}, run: (*store).encryption,
		},
		{
			name: "delete", about: "S3: the writer has no right to delete, unless it compacts; the probe is removed, or named if it stays",
			needs: []string{"create"}, after: []string{"conditions", "checksum", "encryption"}, run: (*store).remove,
		},
		{name: "versions", about: "S3: earlier versions of objects are kept", needs: []string{"list"}, run: (*store).versions},
		{
			name: "lock", about: "S3: Object Lock fits the settings, and no default retention keeps working state",
			needs: []string{"list"}, run: (*store).lock,
		},
		{name: "disk", about: "a directory: the disk has space", needs: []string{"place"}, run: (*store).disk},
	}
}

// remote tells whether the store is a server, and not a directory.
func (s *store) remote() bool {
	_, dir := s.at.Dir()
	return !dir
}

func (s *store) failed(err error, advice string) []Row {
	return fail(at(exporter.StageSink, err), advice)
}

// place opens the store, and sends the first request. The next checks read its result. For a remote store, it has a row only if a
// setting is unusable or the store cannot be opened.
func (s *store) place(ctx context.Context) []Row {
	if rows := s.unless(strings.TrimPrefix(s.setting, config.Prefix), "S3_"); rows != nil {
		return rows
	}
	var err error
	if s.b, err = s.open(ctx, s.set()); err != nil {
		advice := "correct " + s.setting
		if s.remote() {
			advice += ", " + setting.S3Region + " or " + setting.S3Endpoint
		}
		return fail(err, advice)
	}
	s.listed = first(s.b.Walk(s.way.watch(ctx), path.Dir(s.key)+"/"))
	if !s.remote() && s.listed != nil {
		return s.failed(s.listed, "correct "+s.setting+", or mount the volume there and give this user the right to read and write it")
	}
	if dir, _ := s.at.Dir(); !s.remote() {
		if firstMissing(dir) != "" {
			return okf("the directory is not there yet: the first run makes it")
		}
		return okf("the directory is there")
	}
	s.way.err = s.listed
	return nil
}

// first returns the error of the first element, if there is one.
func first[T any](all iter.Seq2[T, error]) error {
	for _, err := range all {
		return err
	}
	return nil
}

func (s *store) list(context.Context) []Row {
	switch {
	case s.listed != nil:
		return s.failed(s.listed, "check "+s.setting+" and the rights of the role")
	case !s.remote():
		return nil
	}
	return okf("allowed")
}
