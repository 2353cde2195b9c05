package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
)

// A journal is a journal during its verification.
type journal struct {
	*run
	Journal

	found  findings
	end    checkpoint.End
	lease  checkpoint.LeaseStatus
	stream Stream

	tip         checkpoint.Stored        // the newest entry, unconfirmed
	noted       *witness                 // the hint's head; nil if it has none
	remembered  map[uint64][]*witness    // by size
	others      []*witness               // earlier hints with another name than the journal has
	revoked     []seal.KeyState          // keys that were reported
	rings       map[string]*seal.Keyring // by the name of the journal: an adoption gives it a new one
	signedSince uint64                   // the first signed entry; 0 if there is none so far
	lastSigned  bool

	letters  map[string]string            // the SHA-256 of each letter that an entry names, by its key
	before   checkpoint.Stored            // the previous entry; zero if the next one cannot be compared with it
	restored map[uint64]checkpoint.Stored // changed or hidden entries, from their genuine earlier versions
	past     past
	rest     []seal.Hash // the leaves of the entries after the last full tile
}

// open finds the end of the journal, and compares it with the hint and the lease. It tells whether there is a journal.
func (j *journal) open(ctx context.Context) (there bool) {
	// A run may be under way, and it writes an entry before the hint and the lease tell of it. So open reads the lease first, then the
	// earlier hints, then the journal itself.
	var err error
	if j.lease, err = j.LeaseStatus(ctx); errors.Is(err, checkpoint.ErrCorrupt) {
		j.report(LeaseUnreadable, Error, 0, "The lease of the %s stream is not readable: %v.", j.Name, cause(err))
	} else if err != nil {
		j.unread(err)
		return false
	}
	hints, bare := j.earlierHints(ctx)
	if j.end, err = j.End(ctx); err != nil {
		j.unread(err)
		return false
	}
	if j.end.Newest > 0 {
		j.newest(ctx)
		j.lists(ctx)
		j.hidden(ctx)
	}
	witness := max(bare, j.end.Hint.Serial, j.lease.Serial)
	for _, h := range hints {
		if j.ours(h) && !j.outdated(h) {
			witness = max(witness, h.Size)
		}
	}
	j.hint(witness)
	j.witnesses(hints)
	return j.end.Newest > 0 || witness > 0
}

// newest reads the newest entry. It tells how much work there is, and which set of delivered ids the next run needs.
func (j *journal) newest(ctx context.Context) {
	j.stream = Stream{Name: j.Name, First: 1, Newest: j.end.Newest}
	for s, err := range j.Readings(ctx, j.end.Newest, j.end.Newest, 1) {
		if err != nil || s.Serial != j.end.Newest {
			return // it comes again in its turn, and then there is a finding
		}
		j.stream.Tenant, j.stream.SHA256 = s.Tenant, s.SHA256
		j.stream.Delivered, j.stream.Filtered, j.stream.Paired = s.Totals.Delivered, s.Totals.Filtered, s.Totals.Paired
		if j.Files {
			j.tenants[s.Tenant] = true
		}
		j.stream.Start, j.stream.Cursor = s.Start, s.Cursor
		j.stream.Origin, j.stream.Signed = s.Seal.Origin, s.Signed
		j.tip = s
		j.lacks(s)
		if j.Depth != Heads {
			j.expect(int64(j.end.Newest))
			if j.Files && j.Options.Files != nil && j.Since.IsZero() && j.Until.IsZero() {
				j.expect(s.Totals.Objects)
			}
		}
		switch _, _, err := j.Delivered(ctx, s); {
		case errors.Is(err, checkpoint.ErrCorrupt):
			j.report(SetDamaged, Error, s.Serial, "The set of delivered ids that entry %d builds on cannot be read: %v.", s.Serial, cause(err))
		case err != nil:
			j.unread(err)
		}
	}
}

// lacks reports the records that the destination refuses: they are read and accounted for, but not delivered.
func (j *journal) lacks(s checkpoint.Stored) {
	if n := len(s.DeadLetters); n > 0 {
		j.report(DeadLetters, Warning, s.Serial, "The destination lacks %s that it refuses: see the dead letter.", records(int64(n)))
	}
	if n := s.Totals.Dropped; n > 0 {
		j.report(LettersDropped, Info, s.Serial, "The destination never got %s that it refused.", records(n))
	}
}

func records(n int64) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}

// take handles the verdicts on entries, in order.
func (j *journal) take(ctx context.Context, decided []verdict) {
	for _, v := range decided {
		j.stream.Entries++
		switch {
		case v.missing():
			j.stream.Entries--
			j.missing(ctx, v)
		case v.changed || v.err != nil:
			j.changed(ctx, v)
		default:
			j.account(ctx, v.Stored)
		}
	}
}

// missing reports a gap, and fills it from earlier versions if there are any.
func (j *journal) missing(ctx context.Context, v verdict) {
	var back []checkpoint.Stored // the newest first
	var covered string
	want := v.want
	for serial := v.last; serial >= v.Serial; serial-- {
		o := j.original(ctx, j.Positions, j.Key(serial), want)
		if o == nil {
			break
		}
		s, err := j.Parse(serial, o.body)
		if err != nil {
			break
		}
		back, covered, want = append(back, s), o.covered(), s.PreviousSHA256
	}
	if lost := v.last - uint64(len(back)); lost >= v.Serial {
		j.report(EntryMissing, Error, v.Serial, "%s %s missing, although entry %d is there.",
			span(v.Serial, lost), isAre(v.Serial < lost), v.last+1)
		j.before = checkpoint.Stored{}
	}
	for _, s := range slices.Backward(back) {
		j.report(EntryHidden, Error, s.Serial, "Entry %d is hidden: %s.", s.Serial, covered)
		j.restore(ctx, s)
	}
}

// changed reports an entry that is not the committed one. If an earlier version is the committed one, the verification goes on with
// it.
func (j *journal) changed(ctx context.Context, v verdict) {
	if o := j.original(ctx, j.Positions, j.Key(v.Serial), v.want); o != nil {
		if s, err := j.Parse(v.Serial, o.body); err == nil {
			j.report(EntryShadowed, Error, v.Serial, "Entry %d is not what was committed: %s. The hashes are %s and %s.",
				v.Serial, o.covered(), v.SHA256, v.want)
			j.restore(ctx, s)
			return
		}
	}
	misplaced := (*checkpoint.MisplacedError)(nil)
	switch {
	case errors.As(v.err, &misplaced):
		j.report(EntryMisplaced, Error, v.Serial, "At the place of entry %d is one that says that it is entry %d.", v.Serial, misplaced.Says)
	case errors.Is(v.err, checkpoint.ErrForeign):
		j.report(EntryMisplaced, Error, v.Serial, "At the place of entry %d is one of the stream %q.", v.Serial, v.Stream)
	case v.err != nil:
		j.report(EntryChanged, Error, v.Serial, "Entry %d cannot be read: %v.%s", v.Serial, cause(v.err), j.signer(ctx, v.Serial))
	default:
		j.report(EntryChanged, Error, v.Serial, "Entry %d has the SHA-256 %s, and %s says that it was %s.%s",
			v.Serial, v.SHA256, v.by, v.want, j.signer(ctx, v.Serial))
	}
	j.before = checkpoint.Stored{}
	if v.err == nil || misplaced != nil {
		j.contents(ctx, v.Stored) // its objects may still be as committed
	}
}

// restore puts an earlier version of an entry in its place.
func (j *journal) restore(ctx context.Context, s checkpoint.Stored) {
	j.restored[s.Serial] = checkpoint.Stored{Checkpoint: checkpoint.Checkpoint{
		Serial: s.Serial, Kind: s.Kind, Window: s.Window, Tenant: s.Tenant, Objects: s.Objects,
	}}
	j.account(ctx, s)
}

// cause returns the fault of an entry without its place and the advice. A finding has both anyway.
func cause(err error) error {
	if parts, ok := err.(interface{ Unwrap() []error }); ok {
		for _, part := range parts.Unwrap() {
			if !errors.Is(part, checkpoint.ErrCorrupt) {
				return part
			}
		}
	}
	return err
}

// account handles an entry that is the committed one, as far as the journal itself tells.
func (j *journal) account(ctx context.Context, s checkpoint.Stored) {
	if s.Kind == checkpoint.KindAdopt {
		j.found.soften(s.Serial, fmt.Sprintf(" Entry %d is an adoption, after which this does not count any more.", s.Serial))
	}
	j.hold(s)
	j.remains(s)
	j.signed(s)
	if err := s.Continues(j.before); err != nil && (s.Signed || !j.before.Signed) {
		j.report(EntryChanged, Error, s.Serial, "Entry %d does not follow entry %d: %v.", s.Serial, j.before.Serial, err)
	}
	if j.before.Serial > 0 || s.Serial == 1 {
		for _, p := range accounts(j.before.Checkpoint, s.Checkpoint, j.AnyOrder) {
			j.report(p.code, Error, s.Serial, "%s", p.text)
		}
	}
	for _, p := range counts(s.Checkpoint, j.Files) {
		j.report(p.code, Error, s.Serial, "%s", p.text)
	}
	for _, l := range s.Refused {
		j.letters[deadletter.Key(j.Name, l)] = l.SHA256
	}
	j.past.take(j.before, s)
	j.before = s
	if j.Watch != nil {
		j.Watch.Entry(s)
	}
	j.contents(ctx, s)
}

// report adds a finding about the journal.
func (j *journal) report(code Code, severity Severity, serial uint64, format string, args ...any) {
	f := Finding{Code: code, Severity: severity, Stream: j.Name, Entry: serial, Text: fmt.Sprintf(format, args...)}
	if serial > 0 {
		f.Key = j.Key(serial)
	}
	j.found.add(f)
}

func sameLetter(a, b checkpoint.Letter) bool {
	return a.Same(b) && a.Nth == b.Nth && a.SHA256 == b.SHA256
}
