package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
	"github.com/houndtrail/houndtrail/sink/webhook/schema"
)

// A refusal is a record that the receiver refuses for its content, in any batch.
type refusal struct {
	record *batch // has this record only, and no body
	err    error
}

// refuse deals with the records of a batch that the receiver refuses for their content, by an answer that names them. taken are the
// places of the records that the receiver has. Without a dead letter, refuse only notes the first refused record, which then blocks
// the stream.
func (s *Sink) refuse(ctx context.Context, d *delivery, answer *StatusError, taken func(i int) bool) {
	var at []int
	why := map[int]string{}
	for _, i := range answer.verdict.Items {
		if i.Class == format.Narrow {
			at, why[i.N] = append(at, i.N), i.Why
		}
	}
	if len(at) == 0 && s.options.Letters != nil {
		for i := range d.left.lines {
			if taken(i) {
				s.options.Letters.Passed(1)
			}
		}
	}
	if len(at) == 0 || d.refused != nil {
		return
	}
	said := func(i int) *StatusError {
		alone := *answer
		alone.verdict.Class, alone.verdict.Why = format.Narrow, "and refuses this record: "+why[i]
		return &alone
	}
	if s.options.Letters == nil {
		blocks := said(at[0])
		s.offerLetters(blocks)
		d.refused = &refusal{s.alone(d.left, at[0]), blocks}
		return
	}
	letters, failed, err := s.putAside(ctx, d.left, at, taken, said)
	if d.done = append(d.done, letters...); err != nil {
		d.refused = &refusal{s.alone(d.left, failed), err}
	}
}

// alone is a batch with one record of another batch, and without a body.
func (s *Sink) alone(b *batch, i int) *batch {
	p := s.packers.Take()
	defer s.giveBack(p)
	line := b.lines[i : i+1]
	return &batch{lines: line, walk: b.walk, id: p.id(line), size: line[0].size}
}

// poison tells whether the receiver refuses the only record of a batch, so that no smaller batch could help.
func poison(err error, b *batch) bool { return (tooLarge(err) || unreadable(err)) && len(b.lines) == 1 }

// offerLetters adds the setting with which a record no longer blocks the others to the error about that record.
func (s *Sink) offerLetters(refusal error) {
	if answer, ok := errors.AsType[*StatusError](refusal); ok && s.options.LettersOff {
		answer.verdict.Advice = also(answer.verdict.Advice, "to let the records behind it go on meanwhile, set "+setting.DeadLetter+
			"=on: houndtrail deadletter then shows this one, and sends it later")
	}
}

// putAlone puts the only record of a batch into the dead letter.
func (s *Sink) putAlone(ctx context.Context, b *batch, refusal error) (o outcome) {
	said, _ := errors.AsType[*StatusError](refusal)
	letters, _, err := s.putAside(ctx, b, []int{0}, func(int) bool { return false }, func(int) *StatusError { return said })
	if o.done = letters; err != nil {
		o.failed, o.err = b, err
	}
	return o
}

// opened makes sure that the letters of earlier runs count before the first record of this run is sent.
func (s *Sink) opened(ctx context.Context) error {
	if s.options.Letters == nil {
		return nil
	}
	if err := s.options.Letters.Begin(ctx); err != nil {
		return fmt.Errorf("post to webhook %s: read which letters are open: %w", s, err)
	}
	return nil
}

// putAside puts the refused records of a batch into the dead letter, and returns a portion for each. First it judges all of them: if
// too many records are refused, it writes none. After an error, failed is the place of the record at which it stopped.
//
// Each letter is durable when putAside returns. If Houndtrail crashes after that, and before the journal's entry, the next run sends
// the window again, and finds the same letters.
func (s *Sink) putAside(
	ctx context.Context, b *batch, at []int, taken func(i int) bool, said func(i int) *StatusError,
) (letters []portion, failed int, err error) {
	var judged []checkpoint.Letter
	fail := func(i int, err error) ([]portion, int, error) {
		s.options.Letters.Withdraw(judged...)
		return nil, i, err
	}
	for i := range b.lines {
		switch l := letterOf(b.lines[i]); {
		case slices.Contains(at, i):
			if err := s.options.Letters.Judge(ctx, l); err != nil {
				return fail(i, s.unlike(err, said(i)))
			}
			judged = append(judged, l)
		case taken(i):
			s.options.Letters.Passed(1)
		}
	}
	for _, i := range at {
		p, err := s.write(ctx, b, i, said(i))
		if err != nil {
			return fail(i, err)
		}
		letters = append(letters, p)
	}
	return letters, 0, nil
}

// write makes one letter durable.
func (s *Sink) write(ctx context.Context, b *batch, i int, said *StatusError) (portion, error) {
	line := b.lines[i]
	item, err := s.item(b, i)
	if err != nil {
		return portion{}, fmt.Errorf("take event %s out of its batch for the dead letter: %w", s.eventID(line), err)
	}
	letter, err := s.options.Letters.Write(ctx, deadletter.Letter{
		EventID: s.eventID(line), ID: line.ID, CreatedAt: line.CreatedAt, RefusedAt: time.Now(),
		Status: said.Status, Answer: said.says(), Format: s.options.Format, Schema: s.schema(), Pass: b.walk.Pass, Receiver: s.String(),
		Batch: b.id, Version: s.options.Version, Item: item,
	})
	letter.Nth = int64(line.at) + 1
	return portion{at: line.at, events: []event{eventOf(line.Stamp)}, letter: &letter}, err
}

// item is the text of one record of a batch.
func (s *Sink) item(b *batch, i int) ([]byte, error) {
	s.recutting.Lock() // one at a time, since each call has the whole text of a batch in memory
	defer s.recutting.Unlock()
	t, err := unpack(s.options.Compression, b, s.format.Frame(b.walk))
	if err != nil {
		return nil, err
	}
	return t.append(nil, i), nil
}

func letterOf(l line) checkpoint.Letter { return checkpoint.Letter{ID: l.ID, CreatedAt: l.CreatedAt} }

// says is the receiver's answer, without our advice.
func (e *StatusError) says() string {
	alone := *e
	alone.verdict.Advice = ""
	return strings.TrimPrefix(alone.Error(), answered)
}

// unlike explains why a record does not go into the dead letter.
func (s *Sink) unlike(err error, said *StatusError) error {
	alike, ok := errors.AsType[*deadletter.AlikeError](err)
	if !ok {
		return err
	}
	stop := *said
	stop.verdict = format.Verdict{Why: fmt.Sprintf("%s, and %s", said.verdict.Why, alike), Advice: "nothing of the window was put into " +
		"the dead letter: check the index, its mapping or schema, the token, and " + setting.WebhookURL + "; the stream goes on by itself. " +
		"If so many records are really at fault, leave them out with " + setting.WebhookFilter}
	if said.verdict.Why == "" {
		stop.verdict.Why = "and " + alike.Error()
	}
	return &stop
}

// withdraw makes the portions ready for the next attempt at their window: it takes out the letters. The receiver may take the
// records then, and otherwise the letters are found again.
func (s *Sink) withdraw(done []portion) []portion {
	for _, l := range receiptOf(done).Letters {
		s.options.Letters.Withdraw(l)
	}
	return delivered(done)
}

// delivered are the portions that the receiver has.
func delivered(done []portion) []portion {
	return slices.DeleteFunc(slices.Clone(done), func(p portion) bool { return p.letter != nil })
}

// passed counts the records of a batch that the receiver has taken as a whole.
func (s *Sink) passed(b *batch) {
	if s.options.Letters != nil {
		s.options.Letters.Passed(len(b.lines))
	}
}

// receiptOf is the receipt of a window.
func receiptOf(done []portion) (r checkpoint.Receipt) {
	for _, p := range done {
		if p.letter != nil {
			r.Letters = append(r.Letters, *p.letter)
		} else {
			r.Objects = append(r.Objects, p.object)
			r.Diverted += p.aside
		}
	}
	return r
}

// schema is the schema of the items; "" for native.
func (s *Sink) schema() string {
	if s.options.Schema == schema.Native {
		return ""
	}
	return s.options.Schema
}

// Writes tells whether a letter has the form in which this sink writes records.
func (s *Sink) Writes(l deadletter.Letter) bool {
	return l.Format == s.options.Format && l.Schema == s.schema()
}

// Resend posts a letter once more, and returns the object of the batch when the receiver has acknowledged it. Without a record, it posts
// the bytes that the receiver got before: the sink must write that form. With the record of the letter, it writes the record anew, in
// the form of this sink.
func (s *Sink) Resend(ctx context.Context, l deadletter.Letter, anew *record.Record) (checkpoint.Object, error) {
	stamp := sink.Stamp{ID: l.ID, CreatedAt: l.CreatedAt}
	walk := format.Walk{Pass: l.Pass}
	t := text{
		walk: walk, frame: s.format.Frame(walk), lines: []line{{Stamp: stamp}},
		append: func(dst []byte, _ int) []byte { return append(dst, l.Item...) },
		least:  func(int) int { return len(l.Item) },
		write:  func(w io.Writer, _ int) (int, error) { return w.Write(l.Item) },
	}
	switch {
	case anew != nil:
		t.append = func(dst []byte, _ int) []byte { return s.format.Append(dst, anew) }
		t.least = func(int) int { return len(anew.Raw) }
		t.write = func(w io.Writer, _ int) (int, error) { return s.format.Write(w, anew) }
	case !s.Writes(l):
		return checkpoint.Object{}, fmt.Errorf("event %s has the form %s, and not the one of this stream", l.EventID, l.Form())
	}
	m := &preparedWindow{window: window.Window{Start: l.CreatedAt}, total: 1, lines: t.lines}
	p := s.packers.Take()
	defer s.giveBack(p)
	if err := errors.Join(s.stale(m), m.pack(p, t, s.options.BatchBytes)); err != nil {
		return checkpoint.Object{}, err
	}
	if err := s.inFlight.Acquire(ctx, 1); err != nil {
		return checkpoint.Object{}, err
	}
	defer s.inFlight.Release(1)
	d, err := s.deliver(ctx, ctx, &m.batches[0])
	if o := s.goOn(ctx, ctx, d, err); o.err != nil {
		return checkpoint.Object{}, fmt.Errorf("post to webhook %s: event %s: %w", s, l.EventID, o.err)
	}
	return d.done[0].object, nil
}
