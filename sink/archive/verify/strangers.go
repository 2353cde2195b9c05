package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

const (
	// listings is the number of prefixes that are listed at a time.
	listings = 16
	// longestRange is the largest number of days for which each day has a listing of its own.
	longestRange = 366
	// mostStrangers bounds the objects without an entry that are judged one by one.
	mostStrangers = 100_000
)

// strangers looks for objects that no entry names.
func (r *run) strangers(ctx context.Context, journals []*journal) {
	found, more, others := r.list(ctx)
	if r.incomplete() || ctx.Err() != nil {
		return
	}
	for _, tenant := range slices.Sorted(maps.Keys(others)) {
		r.found.add(Finding{Code: TenantUnchecked, Severity: Info, Text: fmt.Sprintf("The archive also has %d objects of the tenant %s, of "+
			"which these journals do not tell: they were not looked at.", others[tenant], tenant)})
	}
	j := &judge{run: r}
	for _, journal := range journals {
		if !journal.Files {
			continue
		}
		j.journals = append(j.journals, journal)
		if len(found)+len(r.ledger.waiting)+len(r.ledger.back)+len(r.ledger.holes) > 0 { // newer entries may explain them
			j.catchUp(ctx, journal)
		}
	}
	if r.incomplete() || ctx.Err() != nil {
		return
	}
	for _, key := range found {
		if !r.named(key) {
			j.judge(key)
		}
	}
	j.end(more)
}

// list lists the archive. It returns the keys that no entry names. more is the number of keys beyond the bound, and others has the
// number of objects of each other tenant.
func (r *run) list(ctx context.Context) (found []string, more int, others map[string]int) {
	others = map[string]int{}
	r.walk(ctx, func(key string) {
		if r.named(key) {
			return
		}
		tenant, foreign := r.foreign(key)
		r.mu.Lock()
		defer r.mu.Unlock()
		switch {
		case foreign:
			others[tenant]++
		case len(found) < mostStrangers:
			found = append(found, key)
		default:
			more++
		}
	})
	slices.Sort(found)
	return found, more, others
}

// walk calls do for each object of the archive, several at a time. It leaves out working state.
func (r *run) walk(ctx context.Context, do func(key string)) {
	var listing errgroup.Group
	listing.SetLimit(listings)
	for _, prefix := range r.prefixes() {
		listing.Go(func() error {
			for info, err := range r.Files.Walk(ctx, prefix) {
				if err != nil {
					if ctx.Err() == nil {
						r.unread(err)
					}
					return nil
				}
				if !read.Rewritten(info.Key) {
					do(info.Key)
				}
			}
			return nil
		})
	}
	_ = listing.Wait() // the functions return no error
}

// prefixes are the parts of the archive to list: the days of the verification or, for a long time, the whole archive.
func (r *run) prefixes() (all []string) {
	const day = 24 * time.Hour
	since, until := r.Since, r.Until
	if r.Sample != nil {
		since, until = r.recent.since, r.recent.until
	}
	first := since.UTC().Truncate(day)
	if since.IsZero() || until.IsZero() || until.Sub(first) > longestRange*day {
		return []string{read.Root + "/"}
	}
	for _, tenant := range slices.Sorted(maps.Keys(r.tenants)) {
		for at := first; at.Before(until); at = at.Add(day) {
			all = append(all, read.DayPrefix(tenant, at))
		}
	}
	return all
}

// foreign returns the tenant of an object if no journal is of that tenant.
func (r *run) foreign(key string) (tenant string, ok bool) {
	folder, _, _ := strings.Cut(strings.TrimPrefix(key, read.Root+"/"), "/")
	tenant, ok = strings.CutPrefix(folder, "tenant=")
	return tenant, ok && !r.tenants[tenant]
}

// A judge decides about objects that no entry names.
type judge struct {
	*run
	intents  []window.Window // windows that runs have declared
	journals []*journal
	adopted  int // objects that an adoption found, and that no entry names
	pruned   int // objects of removed entries
}

// catchUp reads the entries and the declared windows that are newer than the beginning of the verification.
func (j *judge) catchUp(ctx context.Context, of *journal) {
	j.intents = append(j.intents, of.lease.Intents...)
	lease, err := of.LeaseStatus(ctx)
	if err == nil {
		j.intents = append(j.intents, lease.Intents...)
	} else if !errors.Is(err, checkpoint.ErrCorrupt) {
		j.unread(err)
		return
	}
	end, err := of.End(ctx)
	if err != nil {
		j.unread(err)
		return
	}
	for s, err := range of.Readings(ctx, of.end.Newest+1, end.Newest, parallel) {
		if err != nil {
			j.unread(err)
			return
		}
		for _, o := range s.Objects {
			j.name(o.Key)
		}
		of.replace(&s.Checkpoint, true)
		of.forget(&s.Checkpoint, true)
		for _, h := range s.Holes {
			j.ledger.again(h)
		}
	}
	j.intended(ctx, of) // after the entries: an intent stays until the objects that it replaces are gone
}

// judge judges one object.
func (j *judge) judge(key string) {
	o, ok := read.Parse(key)
	if ok && !j.due(o.Day) {
		return
	}
	if !ok {
		j.unknown(key, Error, "No archive gives an object the name %s.", key)
		return
	}
	if key == j.ledger.intent.Made.Key {
		j.found.add(Finding{Code: CompactUnfinished, Severity: Warning, Key: key, Text: fmt.Sprintf(
			"%s is to replace %d objects, and no entry says so yet: the compaction did not end, or it is under way.",
			key, len(j.ledger.intent.Replaced))})
		return
	}
	if slices.ContainsFunc(j.intents, func(w window.Window) bool { return o.Of(w.Start, w.Pass) }) {
		j.found.add(Finding{Code: Attempt, Severity: Info, Key: key, Text: fmt.Sprintf(
			"%s was written by a run that has not committed it yet.", key)})
		return
	}
	for _, journal := range j.journals {
		p := &journal.past
		switch {
		case p.adoption != nil && o.Pass < p.adoption.Epoch:
			j.adopted++
			return
		case p.before(o):
			j.pruned++
			return
		}
		if r := p.left(o); r != nil {
			j.unknown(key, Warning, "%s was written by an attempt that was open when the reset of entry %d ended its lineage, or was "+
				"smuggled in since.", key, r.serial)
			return
		}
	}
	j.unknown(key, Error, "No entry names %s.", key)
}

func (j *judge) unknown(key string, severity Severity, format string, args ...any) {
	j.found.add(Finding{Code: ObjectUnknown, Severity: severity, Key: key, Text: fmt.Sprintf(format, args...)})
}

// end reports the objects that were only counted.
func (j *judge) end(more int) {
	if more > 0 {
		j.unknown("", Error, "No entry names %d objects more.", more)
	}
	if j.Sample != nil { // a sample lists only a part, so it has no sums to compare
		return
	}
	if j.pruned > 0 {
		j.found.add(Finding{Code: Pruned, Severity: Warning, Text: fmt.Sprintf(
			"%d objects are older than the first entry that is there: no entry has their hashes, and they were not checked.", j.pruned)})
	}
	for _, journal := range j.journals {
		j.adoption(journal, j.ledger.adopted())
	}
}

// adoption compares the number of objects that an adoption found with the number that is there. The entries before the adoption
// name some of them, and the backfill's journal may name others. The rest have no entry. Compactions and removals have taken some
// of the rest.
func (j *judge) adoption(of *journal, replaced int) {
	s := of.past.adoption
	if s == nil || s.Adopted == nil || of.AnyOrder {
		return
	}
	named := of.past.adopted
	for _, other := range j.journals {
		if other != of {
			named += other.past.named
		}
	}
	all := s.Adopted.Objects
	switch {
	case j.adopted > all:
		j.unknown("", Error, "Entry %d adopted %d objects, and %d objects of that time have no entry.", s.Serial, all, j.adopted)
	case j.adopted+named+replaced < all && j.Since.IsZero() && j.Until.IsZero():
		j.found.add(Finding{Code: ObjectMissing, Severity: Error, Stream: of.Name, Entry: s.Serial, Text: fmt.Sprintf(
			"Entry %d adopted %d objects, and %d of them are there at most.", s.Serial, all, j.adopted+named+replaced)})
	case j.adopted > 0:
		j.found.add(Finding{Code: Adopted, Severity: Info, Stream: of.Name, Entry: s.Serial, Text: fmt.Sprintf(
			"%d objects are known by the adoption of entry %d alone, which has no hashes: they were only counted.", j.adopted, s.Serial)})
	}
}
