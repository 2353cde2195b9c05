package stream

import (
	"context"
	"fmt"
	"os"
	"strings"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/anchor"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/open"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// Journals is the store of all journals. If its place is not set, it is in the archive, and an error names the archive's
// variable.
func (s *Set) Journals(ctx context.Context) (bucket.Bucket, error) {
	c := s.config
	name, value := "CHECKPOINT_URL", c.Checkpoint.URL
	if c.Archive.URL != "" && value == c.Archive.URL.Join("checkpoints") {
		name, value = "ARCHIVE_URL", c.Archive.URL
	}
	return s.open(ctx, &s.journals, c.Checkpoint.URL, checkpoint.Rewritten, name, value)
}

// Files is the store of the archive.
func (s *Set) Files(ctx context.Context) (bucket.Bucket, error) {
	at := s.config.Archive.URL
	return s.open(ctx, &s.files, at, read.Rewritten, "ARCHIVE_URL", at)
}

// open opens a store. If the store is already open, it returns that one. The error names the variable of the place, and its
// value.
func (s *Set) open(
	ctx context.Context, kept *bucket.Bucket, at config.StoreURL, rewritten func(key string) bool, name string, value config.StoreURL,
) (bucket.Bucket, error) {
	if *kept != nil {
		return *kept, nil
	}
	o, p := s.config.S3, s.process
	b, err := open.Open(ctx, string(at), open.Options{
		Options: bucket.Options{Rewritten: rewritten, Idle: p.Idle, Interactive: p.Interactive, Log: p.Log},
		S3: s3.Options{
			Endpoint: string(o.Endpoint), Region: o.Region, PathStyle: o.PathStyle,
			SSE: string(o.SSE), KMSKeyID: o.KMSKeyID,
			ObjectLockMode: string(o.ObjectLockMode), ObjectLockDays: o.ObjectLockDays,
			StorageClass: string(o.StorageClass),
		},
	})
	if err != nil {
		return nil, Usagef("%s%s=%s: %w", config.Prefix, name, value, err)
	}
	*kept = b
	return b, nil
}

// Journal returns the journal of a stream, or of its backfill, for reading. If the configuration does not name a source or a
// tenant, the journal may have any. Reading needs only the place of the journal.
func (s *Set) Journal(ctx context.Context, name string) (*checkpoint.Journal, error) {
	return s.journal(ctx, name)
}

// CommitJournal returns the journal of a stream, or of its backfill, for a command that commits to it. It opens the file of the
// signing key.
func (s *Set) CommitJournal(ctx context.Context, name string) (*checkpoint.Journal, error) {
	return s.commitJournal(ctx, name, func(anchor.Report) {})
}

// commitJournal is like CommitJournal. It also reports about the journal's anchors.
func (s *Set) commitJournal(ctx context.Context, name string, tell func(anchor.Report)) (*checkpoint.Journal, error) {
	keys, err := s.config.SigningKey.Keys()
	if err != nil {
		return nil, Usagef("%sSIGNING_KEY: %w", config.Prefix, err)
	}
	log := s.log(name)
	remembered, err := s.remembered(ctx, name, func(r anchor.Report) {
		tell(r)
		logReport(log, r)
	})
	if err != nil {
		return nil, err
	}
	return s.journal(ctx, name, append(remembered, checkpoint.Sign(keys...), checkpoint.Runs(s.runs(name)))...)
}

// LookJournal is like [Set.Journal]. It also compares the journal with its anchors, and reports the result. If no place is set
// for anchors, it reports nothing.
func (s *Set) LookJournal(ctx context.Context, name string, tell func(anchor.Report)) (*checkpoint.Journal, error) {
	remembered, err := s.remembered(ctx, name, tell)
	if err != nil {
		return nil, err
	}
	return s.journal(ctx, name, remembered...)
}

// remembered is the option for a journal whose heads are remembered elsewhere. If no place is set, there is no such option.
func (s *Set) remembered(ctx context.Context, name string, tell func(anchor.Report)) ([]checkpoint.Option, error) {
	if s.config.Anchor.URL == "" {
		return nil, nil
	}
	b, err := s.Anchors(ctx)
	if err != nil {
		return nil, err
	}
	guard := anchor.NewGuard(b, tell)
	s.guards[name] = guard
	tell(anchor.Report{}) // no report has come yet
	return []checkpoint.Option{checkpoint.Remembered(guard)}, nil
}

// Anchors is the place that remembers heads. The bucket there decides how long it keeps a head: the settings for the archive's
// retention and storage class do not apply.
func (s *Set) Anchors(ctx context.Context) (bucket.Bucket, error) {
	at := s.config.Anchor.URL
	return s.open(ctx, &s.heads, at, func(string) bool { return true }, "ANCHOR_URL", at)
}

// MostAnchors is how many anchors of a journal a verification reads the heads of: the newest one, and some of every age.
const MostAnchors = 100

// Anchored adds to a verification the heads of a journal that are remembered at ANCHOR_URL, up to most of them, and how old they are.
func (s *Set) Anchored(ctx context.Context, name string, most int, asked *verify.Options) error {
	if asked.Anchors == nil {
		asked.Anchors = &verify.Anchors{Place: string(s.config.Anchor.URL), Newest: map[string]verify.Anchor{}}
	}
	if s.config.Anchor.URL == "" {
		return nil
	}
	b, err := s.Anchors(ctx)
	if err != nil {
		return err
	}
	tenant, err := s.tenantOf(ctx, name)
	if err != nil || tenant == "" {
		return err
	}
	origins, err := anchor.Origins(ctx, b, tenant, name)
	for _, origin := range origins {
		if err == nil {
			err = s.anchoredHeads(ctx, b, origin, most, asked)
		}
	}
	if err != nil {
		err = At(exporter.StageCheckpoint, fmt.Errorf("%w: nothing was verified; give the right to list and read there, or unset "+
			"%sANCHOR_URL to verify without these heads", err, config.Prefix))
	}
	return err
}

// tenantOf is the tenant of a journal. If the configuration has none, the newest entry tells it. It is "" if neither has one.
func (s *Set) tenantOf(ctx context.Context, name string) (string, error) {
	if s.config.Tenant != "" {
		return s.config.Tenant, nil
	}
	positions, err := s.Journals(ctx)
	if err != nil {
		return "", err
	}
	newest, err := checkpoint.Open(positions, checkpoint.Identity{Stream: name}).Tip(ctx)
	return newest.Tenant, At(exporter.StageCheckpoint, err)
}

// anchoredHeads reads the newest anchor of a journal, and others at even distances.
func (s *Set) anchoredHeads(ctx context.Context, b bucket.Bucket, origin string, most int, asked *verify.Options) error {
	m, err := anchor.Of(b, origin)
	if err != nil {
		return err
	}
	sizes, err := m.Sizes(ctx, 0)
	if err != nil {
		return err
	}
	n := min(len(sizes), most)
	for i := range n {
		size := sizes[(i+1)*len(sizes)/n-1]
		a, err := m.Read(ctx, size)
		if err != nil {
			return err
		}
		asked.Heads = append(asked.Heads, verify.Remembered{Where: m.At(size), Head: a.Head})
		asked.Anchors.Newest[origin] = verify.Anchor{Size: size, Age: a.Age, Late: anchor.Late(s.config.Anchor.Schedule, a.Age, s.Now())}
	}
	return nil
}

// AnchorJournal anchors the newest head of a journal that [Set.CommitJournal] has opened, if a place for anchors is set. Only
// an error about integrity is returned as an error.
func (s *Set) AnchorJournal(ctx context.Context, name string, j *checkpoint.Journal) error {
	if s.guards[name] == nil {
		return nil
	}
	newest, err := j.Load(ctx)
	if err != nil {
		return nil //nolint:nilerr // there is no entry, or the run itself has already said why the journal cannot be read
	}
	return At(exporter.StageCheckpoint, s.guards[name].Anchor(ctx, newest.Head))
}

// logReport logs each report about a journal's anchors.
func logReport(log *zap.Logger, r anchor.Report) {
	switch {
	case r.Err != nil && r.Wrote:
		log.Warn("the newest head could not be remembered elsewhere: until a later one is, a rollback of the journal to before it "+
			"may stay unnoticed", zap.Uint64("size", r.Newest), zap.Uint64("anchored", r.Size), zap.Error(r.Err))
	case r.Err != nil:
		log.Warn("the heads that are remembered elsewhere could not be compared with the journal: whether it was rolled back is not "+
			"known, and the run goes on", zap.Error(r.Err))
	case r.Wrote:
		log.Info("the newest head is remembered elsewhere", zap.Uint64("size", r.Size))
	}
}

func (s *Set) journal(ctx context.Context, name string, options ...checkpoint.Option) (*checkpoint.Journal, error) {
	destination, err := s.Destination(name)
	if err != nil {
		return nil, err
	}
	b, err := s.Journals(ctx)
	if err != nil {
		return nil, err
	}
	log := s.log(name)
	options = append(options, checkpoint.Warn(func(err error) {
		log.Warn("the note of the newest journal entry is not written", zap.Error(err))
	}))
	if strings.Contains(name, "-") { // of a backfill, or of a replay
		options = append(options, checkpoint.AnyOrder())
	}
	host, _ := os.Hostname() // only people read it: an empty name is no reason to fail
	return checkpoint.Open(b, checkpoint.Identity{
		Tenant:      s.config.Tenant,
		Stream:      name,
		Source:      string(s.config.BloodHound.URL),
		Destination: destination,
		Encoding:    s.encoding(name),
		Writer:      checkpoint.Writer{Version: s.process.Version, Host: host},
	}, options...), nil
}

// Journals returns the journals of streams and of their backfills, for a verification. It compares no journal with the identity
// of the configuration.
func Journals(positions bucket.Bucket, streams ...string) (all []verify.Journal) {
	for _, s := range streams {
		for _, journal := range []string{s, BackfillOf(s)} {
			all = append(all, verify.Journal{
				Journal: checkpoint.Open(positions, checkpoint.Identity{Stream: journal}), Name: journal,
				Files: s == Archive, AnyOrder: journal != s,
			})
		}
	}
	return all
}

// Held answers an exporter's questions about a stream's destination. It needs an archive for that; without one, there are no
// answers.
func (s *Set) Held(ctx context.Context, name string) (d exporter.Destination, err error) {
	if s.config.Archive.URL == "" {
		return d, nil
	}
	files, err := s.Files(ctx)
	if err != nil {
		return d, err
	}
	if name == Archive {
		return archiveDestination(files, s.config.Tenant), nil
	}
	journal, err := s.Journal(ctx, Archive)
	if err != nil {
		return d, err
	}
	return webhookDestination(files, journal, s.journals, s.config.Tenant), nil
}
