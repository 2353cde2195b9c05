package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/anchor"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/replay"
)

// A journal is the position of one stream. A check fills in a field before the checks that need it.
type journal struct {
	*patient
	name   string // the name of the stream
	set    *stream.Set
	j      *checkpoint.Journal
	newest checkpoint.Stored // zero if there is no entry
	lease  checkpoint.LeaseStatus
}

// groupOf is the name of the group with a stream's checks.
func groupOf(name string) string { return name + " stream" }

func journalChecks(archive bool) []check[*journal] {
	needs := []string{"journal"}
	if archive {
		needs = append(needs, archiveStore+"/list")
	}
	together := slices.Concat(needs, []string{"lease"})
	return []check[*journal]{
		{
			name: "journal", about: "the newest entries of the journal are sound, and of this tenant, source, destination and format",
			needs: []string{journalStore + "/list"}, run: (*journal).read,
		},
		{name: "lease", about: "the lease is readable, and who holds it", needs: []string{"journal"}, run: (*journal).holder},
		{name: "last run", about: "the last run did not fail", needs: []string{"journal"}, run: (*journal).lastRun},
		{
			name: "together", about: "the journal and the archive belong together: none is without the other; a new stream may begin",
			needs: together, run: (*journal).together,
		},
		{
			name: "goes on", about: "the log of BloodHound is the one that was exported, and no clock is behind it",
			needs: []string{"journal", "bloodhound/audit log"}, run: (*journal).goesOn,
		},
		{
			name: "follows", about: "a stream that follows the archive can go on from its position, and the archive does not stand still",
			needs: needs, run: (*journal).follows,
		},
	}
}

// remedies returns the next step for an error of a journal.
func remedies(err error) string {
	for _, r := range []struct {
		err    error
		advice string
	}{
		{checkpoint.ErrRolledBack, "find out who changed the journal at " + setting.CheckpointURL + "; compare it with " + setting.AnchorURL},
		{checkpoint.ErrForked, "find out who changed the journal at " + setting.CheckpointURL + "; compare it with " + setting.AnchorURL},
		{checkpoint.ErrForeign, "correct the address, " + setting.Tenant + " or " + config.Prefix + "ARCHIVE_FORMAT, or run houndtrail move"},
		{checkpoint.ErrNewer, "update houndtrail"},
		{checkpoint.ErrSignature, "set " + setting.SigningKey + " to a key that signed the newest entry"},
		{checkpoint.ErrCorrupt, "restore the object at " + setting.CheckpointURL +
			" from an earlier version or a backup: see \"Restoring\" in docs/operating.md"},
		{exporter.ErrJournalGone, "correct " + setting.CheckpointURL + ", or run houndtrail adopt"},
		{exporter.ErrStart, "correct " + config.Prefix + "START"},
		{exporter.ErrSourceChanged, "check " + setting.BloodHoundURL +
			"; if a person restored or replaced BloodHound, run houndtrail accept-reset"},
		{exporter.ErrClock, "set the wrong clock right (NTP)"},
		{replay.ErrUnfollowable, "find out what changed the archive's journal, then run houndtrail accept-reset --stream webhook"},
		{replay.ErrNotHeld, "run houndtrail backfill --stream archive, or set " + setting.WebhookSource + " to " + string(config.SourceAPI) +
			" until the stream has delivered that time"},
		{replay.ErrStands, "look at the rows of the archive stream, and at its schedule"},
	} {
		if errors.Is(err, r.err) {
			return r.advice
		}
	}
	return "check " + setting.CheckpointURL
}

func (s *journal) failed(err error) []Row {
	return fail(at(exporter.StageCheckpoint, err), remedies(err))
}

func (s *journal) read(ctx context.Context) []Row {
	var err error
	if s.j, err = s.set.LookJournal(ctx, s.name, func(anchor.Report) {}); err != nil {
		return fail(err, "correct "+setting.CheckpointURL)
	}
	s.newest, err = s.j.Load(ctx)
	switch {
	case errors.Is(err, checkpoint.ErrNotFound):
		return okf("it has no entry yet: the first run begins it")
	case err != nil:
		return s.failed(err)
	}
	return okf("entry %d is the newest one, of %s; everything before %s is delivered", s.newest.Serial,
		show.Second(s.newest.Progress().CommittedAt), show.Second(s.newest.Cursor))
}

func (s *journal) holder(ctx context.Context) (rows []Row) {
	var err error
	switch s.lease, err = s.j.LeaseStatus(ctx); {
	case err != nil:
		return s.failed(err)
	case s.lease.Expires > 0:
		return okf("a run on %s (pid %d) holds it since %s", s.lease.Holder.Host, s.lease.Holder.PID, show.Second(s.lease.Since))
	case s.lease.Held:
		return okf("a run on %s (pid %d) took it at %s, and did not give it back: it works, or was killed", s.lease.Holder.Host,
			s.lease.Holder.PID, show.Second(s.lease.Since))
	}
	return okf("it is free")
}

func (s *journal) lastRun(ctx context.Context) []Row {
	failure, failed, err := s.j.Failure(ctx, &s.newest.Checkpoint)
	switch {
	case err != nil:
		return s.failed(err)
	case failed:
		err := stream.LastRun(failure)
		return fail(err, "the checks that fail tell the cause; if none does, it has passed, and the next run succeeds")
	case s.newest.Serial == 0:
		return nil
	}
	return okf("no run has failed since the newest entry")
}

// together looks whether the journal and the archive belong together. If the journal has entries, it looks for an object of the
// newest entry that has one, among the last few entries.
func (s *journal) together(ctx context.Context) []Row {
	if s.newest.Serial == 0 {
		e := s.set.Exporter(s.name, nil)
		var err error
		if e.Destination, err = s.set.Held(ctx, s.name); err == nil {
			err = e.Begins(ctx, s.lease.Intents, s.set.Now())
		}
		if err != nil {
			return s.failed(err)
		}
		return okf("there are neither entries nor records yet, and the stream may begin")
	}
	if s.name != stream.Archive {
		return nil
	}
	files, err := s.set.Files(ctx)
	if err != nil {
		return fail(err, "correct "+setting.ArchiveURL)
	}
	const few = 10 // entries: the entries of an idle stream have no objects
	key := ""
	for entry, err := range s.j.Last(ctx, few) {
		if err != nil {
			return s.failed(err)
		}
		for _, o := range entry.Objects {
			key = o.Key
		}
	}
	if key == "" {
		return okf("the last entries of the journal have no objects")
	}
	switch _, err := files.Stat(ctx, key); {
	case errors.Is(err, fs.ErrNotExist):
		return failAs(at(exporter.StageCheckpoint, checkpoint.ErrForeign),
			fmt.Sprintf("the journal says that the archive has %s, and it is not at %s", key, files), "correct "+setting.ArchiveURL+" or "+
				setting.CheckpointURL+"; if a person removed the object, houndtrail verify tells what is missing")
	case err != nil:
		return fail(at(exporter.StageSink, err), "check "+setting.ArchiveURL)
	}
	return okf("the archive has the newest object of the journal")
}

func (s *journal) goesOn(ctx context.Context) []Row {
	if s.newest.Serial == 0 || s.set.FollowsArchive(s.name) {
		return nil
	}
	source, err := s.patient.set().Source(nil)
	if err != nil {
		return fail(err, "correct the settings that begin with "+config.Prefix+"BLOODHOUND_")
	}
	e := s.set.Exporter(s.name, source)
	e.Store, e.Log = s.j, zap.NewNop()
	if _, err := e.Check(ctx, s.newest); err != nil {
		return fail(err, remedies(err))
	}
	return okf("the next run goes on %s behind BloodHound", show.Duration(max(0, time.Since(s.newest.Cursor))))
}

func (s *journal) follows(ctx context.Context) []Row {
	if !s.set.FollowsArchive(s.name) {
		return nil
	}
	if err := s.set.CheckFollows(ctx, s.newest); err != nil {
		return fail(err, remedies(err))
	}
	return okf("the archive has what the stream needs next")
}
