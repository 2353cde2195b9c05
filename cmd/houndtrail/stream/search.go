package stream

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/budget"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/replay"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/archive/search"
	"github.com/houndtrail/houndtrail/sink/archive/serve"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// mostNamed is how many of an answer's problems the error names.
const mostNamed = 10

// Search searches the archive of the configuration's tenant. If the configuration has no tenant, the archive must have only
// one. If records may be missing, Search returns an error, and the answer has the problems.
func (s *Set) Search(ctx context.Context, o search.Options) (search.Answer, error) {
	files, err := s.Files(ctx)
	if err != nil {
		return search.Answer{}, err
	}
	o.Files, o.Tenant = files, s.Tenant()
	if o.Tenant == "" {
		if o.Tenant, err = s.onlyTenant(ctx, files); err != nil {
			return search.Answer{}, err
		}
	}
	answer, err := search.Run(ctx, o)
	switch {
	case err != nil:
		err = At(exporter.StageSink, notWhole(err))
	case answer.Files == 0 && answer.Problems == nil:
		_, err = s.onlyTenant(ctx, files, o.Tenant)
	}
	return answer, errors.Join(problems(answer.Problems), err)
}

func notWhole(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("the search ended early, and the answer lacks records: %w", err)
}

// problems returns one error about all of them, or nil.
func problems(all []error) error {
	if len(all) == 0 {
		return nil
	}
	named := slices.Clone(all[:min(len(all), mostNamed)])
	if more := len(all) - len(named); more > 0 {
		named = append(named, fmt.Errorf("and %d more such files", more))
	}
	return errors.Join(append(named, fmt.Errorf("%w: records may be missing because of what is said above", search.ErrNotWhole))...)
}

// onlyTenant returns the only tenant of the archive. If the caller wants a certain tenant, it returns that one if the archive
// has it.
func (s *Set) onlyTenant(ctx context.Context, files bucket.Reader, wanted ...string) (string, error) {
	extents, err := read.Extents(ctx, files)
	if err != nil {
		return "", At(exporter.StageSink, err)
	}
	names := make([]string, len(extents))
	for i, e := range extents {
		names[i] = e.Tenant
	}
	switch {
	case len(names) == 0:
		return "", Usagef("%s has no file of an archive: check %sARCHIVE_URL, which is the folder that has the folder %s", files, config.Prefix,
			read.Root)
	case len(wanted) == 1 && slices.Contains(names, wanted[0]):
		return wanted[0], nil
	case len(wanted) == 1:
		return "", Usagef("%s has no file of tenant %s, but of %s: set %sTENANT", files, wanted[0], strings.Join(names, ", "), config.Prefix)
	case len(names) > 1:
		return "", Usagef("%s has the tenants %s: set %sTENANT to one of them", files, strings.Join(names, ", "), config.Prefix)
	}
	return names[0], nil
}

// lateness is how late a commit may come.
const lateness = 2 * time.Minute

// follows tells whether the webhook's stream follows the archive.
func (s *Set) follows() bool {
	return s.config.Webhook.URL.IsSet() && s.config.Webhook.Source == config.SourceArchive
}

// exporterFor is the exporter of a stream. It reads from BloodHound or, for the webhook, from what the configuration says.
func (s *Set) exporterFor(ctx context.Context, name string, client exporter.Source) (*exporter.Exporter, error) {
	if !s.FollowsArchive(name) {
		return s.Exporter(name, client), nil
	}
	source, err := s.Archived(ctx)
	if err != nil {
		return nil, err
	}
	return s.exporterOf(&archived{source, client}, name), nil
}

// FollowsArchive tells whether a stream follows the archive.
func (s *Set) FollowsArchive(name string) bool { return name == Webhook && s.follows() }

// CheckFollows returns the error that would stop a stream that follows the archive; nil if it can go on from its newest entry. It reads
// the archive's journals, asks BloodHound nothing, and writes nothing.
func (s *Set) CheckFollows(ctx context.Context, newest checkpoint.Stored) error {
	source, err := s.Archived(ctx)
	if err != nil {
		return err
	}
	at := exporter.FollowedTo{Cursor: newest.Cursor, Floor: newest.Cursor}
	switch {
	case newest.Followed != nil:
		at.Followed = *newest.Followed
	case newest.Serial > 0: // it has read from the server so far
		at.Since = newest.DeliveredSince
		if at.Since.Before(newest.Start) {
			at.Since = newest.Start
		}
	}
	step, err := source.Follow(ctx, at)
	return At(exporter.StageSource, cmp.Or(err, step.Standing))
}

// An archived source is the archive, together with the server that knows which records are of our own requests.
type archived struct {
	*replay.Source

	server exporter.Source
}

// Own asks the server.
func (a *archived) Own(ctx context.Context, r *record.Record) bool { return a.server.Own(ctx, r) }

// Archived is the archive as a source of records. A set without a tenant takes the one of the archive's journal.
func (s *Set) Archived(ctx context.Context) (*replay.Source, error) {
	journal, err := s.Journal(ctx, Archive)
	if err != nil {
		return nil, err
	}
	backfill, err := s.Journal(ctx, BackfillOf(Archive))
	if err != nil {
		return nil, err
	}
	files, err := s.Files(ctx)
	if err != nil {
		return nil, err
	}
	schedule, _ := s.Schedule(Archive)
	return replay.New(&replay.Archive{
		Journal: journal, Backfill: backfill, Files: serve.New(files, s.config.Tenant, replay.Line), Now: s.process.Now, Log: s.log(Webhook),
		// One run may fail for a passing reason. Two runs in a row should not.
		Due: func(committed time.Time) time.Time {
			return schedule.Next(schedule.Next(committed.Add(exporter.IdleCommit + s.config.Settle))).Add(lateness)
		},
	}), nil
}

// A Replay sends a time of the archive again.
type Replay struct {
	*exporter.Backfill

	Source *replay.Source
	Anchor func(context.Context) error // remembers the newest head elsewhere
}

// Replay makes the backfill that sends a time of the archive again, with its own journal of that name. Its windows are as large as a
// batch: if it is killed, only the batches that are under way go out once more.
func (s *Set) Replay(ctx context.Context, name string) (*Replay, error) {
	if err := s.borrow(ctx); err != nil {
		return nil, err
	}
	source, err := s.Archived(ctx)
	if err != nil {
		return nil, err
	}
	e := s.exporterOf(source, Webhook)
	if e.Sink, err = s.Receiver(); err != nil {
		return nil, err
	}
	if f, err := format.New(string(s.config.Webhook.Format), format.Options{}); err == nil {
		e.Limits.Records = min(e.Limits.Records, cmp.Or(s.config.Webhook.BatchRecords, f.Limits().Records))
	}
	e.Memory = budget.Split(max(s.process.Memory-serve.Memory, s.process.Memory/2), 1)[0]
	e.Stopping = func() bool { return ctx.Err() != nil }
	journal, err := s.CommitJournal(ctx, name)
	if err != nil {
		return nil, err
	}
	return &Replay{
		&exporter.Backfill{Stream: *e, Journal: journal, Again: true}, source,
		func(ctx context.Context) error { return s.AnchorJournal(ctx, name, journal) },
	}, nil
}

// ReplayOf is the name of the journal of a replay: the same order has the same name, so that a replay that was interrupted goes on.
func ReplayOf(order ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(order, "\n")))
	return Webhook + replayMark + hex.EncodeToString(sum[:6])
}

// borrow takes the tenant and the source from the archive's journal, if the configuration has none. The journal of a replay names them
// too.
func (s *Set) borrow(ctx context.Context) error {
	if s.config.Tenant != "" && s.config.BloodHound.URL != "" {
		return nil
	}
	journal, err := s.Journal(ctx, Archive)
	if err != nil {
		return err
	}
	newest, err := journal.Load(ctx)
	if errors.Is(err, checkpoint.ErrNotFound) {
		return At(exporter.StageCheckpoint, fmt.Errorf("the archive %s has no journal, so nothing can be sent from it: %w",
			s.config.Archive.URL, err))
	}
	if err != nil {
		return At(exporter.StageCheckpoint, err)
	}
	c := *s.config
	if c.Tenant == "" {
		c.Tenant = newest.Tenant
	}
	if c.BloodHound.URL == "" {
		c.BloodHound.URL = config.HTTPURL(newest.Source)
	}
	s.config = &c
	return nil
}
