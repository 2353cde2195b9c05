package stream

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/replay"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
	"github.com/houndtrail/houndtrail/sink/webhook/taken"
)

// letters is the dead letter for the sink of a stream; nil if refused records block the stream.
func (s *Set) letters(ctx context.Context, name string) (*deadletter.Box, error) {
	if s.config.DeadLetter != config.DeadLetterOn {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	if s.past {
		name = BackfillOf(name)
	}
	return s.Letters(ctx, name)
}

// Letters is the dead letter of a journal, also if the setting is off by now.
func (s *Set) Letters(ctx context.Context, name string) (*deadletter.Box, error) {
	journal, err := s.Journal(ctx, name)
	if err != nil {
		return nil, err
	}
	return deadletter.NewBox(s.journals, name, journal.Load), nil
}

// Lettered is how many letters of a journal are open.
func (s *Set) Lettered(ctx context.Context, name string) (int, error) {
	box, err := s.Letters(ctx, name)
	if err != nil {
		return 0, err
	}
	open, err := box.Open(ctx)
	return len(open), At(exporter.StageCheckpoint, err)
}

// taken is the memory of the batches that the receiver has taken; nil for a backfill, which has no memory. A batch counts only in the
// same journal, at the same destination, and in the same form.
func (s *Set) taken(w *watch, log *zap.Logger) *taken.Memory {
	if s.past {
		return nil
	}
	return taken.New(taken.Options{
		State: checkpoint.OpenState[taken.Record](s.journals, Webhook, "taken"), Log: log,
		For: func() string {
			e := w.entry.Load()
			if e == nil || e.Seal == nil {
				return ""
			}
			return strings.Join([]string{e.Seal.Origin, e.Tenant, e.Source, e.Destination, e.Encoding}, "\n")
		},
	})
}

// mostAtOnce is how many records of one instant are in memory at a time.
const mostAtOnce = 10_000

// ErrNoRecord says that a record is neither in the archive nor at BloodHound.
var ErrNoRecord = errors.New("its record cannot be read again")

// Record reads a record of the log again: from the archive or, if the archive does not have it, from BloodHound.
func (s *Set) Record(ctx context.Context, id int64, at time.Time) (record.Record, error) {
	var reasons []error
	for _, open := range []func() (exporter.Source, error){
		func() (exporter.Source, error) {
			if s.config.Archive.URL == "" {
				return nil, errors.New("there is no archive")
			}
			return s.Archived(ctx)
		},
		func() (exporter.Source, error) {
			if s.config.BloodHound.URL == "" {
				return nil, fmt.Errorf("%s is not set", setting.BloodHoundURL)
			}
			return s.Source(nil)
		},
	} {
		source, err := open()
		if err == nil {
			var r record.Record
			if r, err = recordIn(ctx, source, id, at); err == nil {
				return r, nil
			}
		}
		reasons = append(reasons, err)
	}
	// The archive decides the outcome: most letters are sent again without BloodHound.
	return record.Record{}, fmt.Errorf("%w: in the archive: %w; at BloodHound: %s", ErrNoRecord, reasons[0], reasons[1].Error())
}

// recordIn finds a record in a source.
func recordIn(ctx context.Context, source exporter.Source, id int64, at time.Time) (found record.Record, err error) {
	errFound := errors.New("found")
	_, err = source.FetchParts(ctx, at, at, bloodhound.Limits{Records: mostAtOnce, Bytes: windowBytes}, func(part []record.Record) error {
		for i := range part {
			if part[i].ID != id {
				continue
			}
			line, err := replay.Line(strings.Clone(part[i].Raw)) // the part's memory is used again
			if found = line; err != nil {
				return err
			}
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return found, nil
	}
	return found, cmp.Or(err, errors.New("it is not there"))
}

const (
	// longestPause is longer than every pause that Houndtrail accepts. If the remembered end is later than that, another clock
	// wrote it.
	longestPause = 25 * time.Hour
	// rememberTime is how long a run may take to write a pause.
	rememberTime = 10 * time.Second
)

// A pause is the time for which a receiver asks, if it is longer than Houndtrail keeps trying a batch. Houndtrail remembers it
// beside the journal, in <stream>/state/postponed.json. So a job that starts every few minutes obeys it too. If the object is
// lost, no harm is done: Houndtrail asks the receiver again, and gets the same answer.
type pause struct {
	state checkpoint.State[pauseRecord]
	now   func() time.Time
	log   *zap.Logger

	until time.Time // the pause that this process knows
	asked bool      // this process has read the bucket; it need not do so in each cycle
}

// pauseRecord is the content of that object.
type pauseRecord struct {
	NotBefore time.Time `json:"not_before"`
}

func newPause(b bucket.Bucket, stream string, now func() time.Time, log *zap.Logger) *pause {
	return &pause{state: checkpoint.OpenState[pauseRecord](b, stream, "postponed"), now: now, log: log}
}

// pending is when the pause ends; zero if there is none.
func (p *pause) pending(ctx context.Context) time.Time {
	if !p.asked {
		r, err := p.state.Read(ctx)
		if err != nil {
			p.log.Warn("whether the receiver has asked for a pause is not known, and it is asked", zap.Error(err))
		}
		p.until, p.asked = r.NotBefore, true
	}
	if left := p.until.Sub(p.now()); left <= 0 || left > longestPause {
		return time.Time{}
	}
	return p.until
}

// remember writes the pause into the bucket.
func (p *pause) remember(ctx context.Context, postponed *webhook.PostponedError) {
	p.until, p.asked = p.now().Add(time.Until(postponed.Until)), true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rememberTime)
	defer cancel()
	if err := p.state.Write(ctx, pauseRecord{p.until.UTC().Truncate(time.Second)}); err != nil {
		p.log.Warn("the pause that the receiver asks for could not be written down: another run will not know of it",
			zap.Time("not_before", p.until), zap.Error(err))
	}
}

// Postponed is the end of the pause for which a stream's receiver has asked; zero if there is none.
func (s *Set) Postponed(ctx context.Context, name string) (time.Time, error) {
	if name != Webhook {
		return time.Time{}, nil
	}
	b, err := s.Journals(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return PauseIn(ctx, b, name, s.Now), nil
}

// PauseIn is [Set.Postponed] for a reader of journals that has no settings of the streams.
func PauseIn(ctx context.Context, b bucket.Bucket, name string, now func() time.Time) time.Time {
	return newPause(b, name, now, zap.NewNop()).pending(ctx)
}

// tellAgain is the shortest time between two posts with heads: if there is a commit every minute, these posts must not double
// the number of requests.
const tellAgain = time.Hour

// A teller tells a receiver the newest heads of the journals. The time of the last post is beside the journal, in
// <stream>/state/told.json. So a job that starts every few minutes posts no more often than a daemon. If that object is lost,
// no harm is done: a head that comes twice has the same event_id, and a head that never came is replaced by the next one.
type teller struct {
	state  checkpoint.State[toldRecord]
	events interface {
		Tell(ctx context.Context, events ...[]byte) error
	}
	now func() time.Time
	log *zap.Logger

	told  toldRecord // the content that this process knows
	asked bool       // this process has read the bucket
}

// toldRecord is the content of that object.
type toldRecord struct {
	At    time.Time         `json:"at"`    // time of the last try
	Sizes map[string]uint64 `json:"sizes"` // the heads of the last post, by their origin
}

func newTeller(b bucket.Bucket, receiver *webhook.Sink, now func() time.Time, log *zap.Logger) *teller {
	return &teller{state: checkpoint.OpenState[toldRecord](b, Webhook, "told"), events: receiver, now: now, log: log}
}

// A headEvent tells a receiver a head. It has no id, so that no query takes it for a record.
type headEvent struct {
	Type    string    `json:"type"`
	EventID string    `json:"event_id"`
	Size    uint64    `json:"size"`
	Root    seal.Hash `json:"root"`
	Head    string    `json:"head"`
	Cursor  time.Time `json:"cursor"`
}

// tell posts these heads if one of them is new and the last post is long ago.
func (t *teller) tell(ctx context.Context, notes []string) {
	if !t.asked {
		told, err := t.state.Read(ctx)
		if err != nil {
			t.log.Warn("which heads the receiver was told is not known, and it is told once more", zap.Error(err))
		}
		t.told, t.asked = told, true
	}
	if since := t.now().Sub(t.told.At); since >= 0 && since < tellAgain {
		return
	}
	next := toldRecord{At: t.now().UTC().Truncate(time.Second), Sizes: map[string]uint64{}}
	var events [][]byte
	for _, note := range notes {
		h, err := seal.ReadHead(note)
		if err != nil {
			t.log.Warn("a head cannot be told", zap.Error(err))
			continue
		}
		if next.Sizes[h.Origin] = h.Size; h.Size == t.told.Sizes[h.Origin] {
			continue
		}
		event, err := json.Marshal(headEvent{
			Type: "houndtrail.head", EventID: fmt.Sprintf("%s/%d", h.Origin, h.Size), Size: h.Size, Root: h.Root, Head: note,
			Cursor: h.Cursor.UTC(),
		})
		if err != nil {
			t.log.Warn("a head cannot be told", zap.Error(err))
			continue
		}
		events = append(events, event)
	}
	if len(events) == 0 {
		return
	}
	if err := t.events.Tell(ctx, events...); err != nil {
		t.log.Warn("the receiver could not be told the newest heads: it is told later ones in an hour", zap.Error(err))
		next.Sizes = t.told.Sizes
	}
	t.told = next
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rememberTime)
	defer cancel()
	if err := t.state.Write(ctx, next); err != nil {
		t.log.Warn("which heads the receiver was told could not be written down: another run tells them once more", zap.Error(err))
	}
}
