package show

import (
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// logEvery is the shortest time between two lines of progress in the log, if the output is no terminal.
const logEvery = 5 * time.Second

// A Backfill shows the progress of a backfill: on a terminal in a line that it draws again, elsewhere in the log. It estimates
// the rest from the time, since it does not know the number of records.
type Backfill struct {
	exporter.Unobserved

	line line
	log  *zap.Logger
	name string // of the stream
	verb string // what it does: backfill, or replay
	now  func() time.Time

	plan  *exporter.BackfillPlan // nil until there is one
	began time.Time
	told  time.Time // when the log last had a line of progress
	done  time.Duration

	windows, records, objects int
}

// NewBackfill shows the backfill of one stream. It draws to w, or logs.
func NewBackfill(w io.Writer, log *zap.Logger, name string) *Backfill {
	return &Backfill{line: newLine(w), log: log.With(zap.String("stream", name)), name: name, verb: "backfill", now: time.Now}
}

// NewReplay shows a replay. It draws to w, or logs.
func NewReplay(w io.Writer, log *zap.Logger, name string) *Backfill {
	p := NewBackfill(w, log, name)
	p.verb = "replay"
	return p
}

// Planned prints the spans that the backfill will export, and the spans that it skips.
func (p *Backfill) Planned(plan exporter.BackfillPlan) {
	p.plan, p.began = &plan, p.now()
	p.told = p.began
	if plan.Span() > 0 {
		p.say(p.verb+"ing", plan.Asked, "")
	}
	if plan.Resumed {
		p.say("finishing the window that an interrupted "+p.verb+" was writing", plan.Gaps[0], "")
	}
	for _, s := range plan.Skipped {
		p.say("skipping", s.Window, s.Reason)
	}
	p.draw()
}

func (p *Backfill) say(what string, w window.Window, reason string) {
	if !p.line.moves {
		fields := []zap.Field{zap.Time("from", w.Start.UTC()), zap.Time("to", w.End.UTC())}
		if reason != "" {
			fields = append(fields, zap.String("reason", reason))
		}
		p.log.Info(what, fields...)
		return
	}
	line := fmt.Sprintf("%s: %s: %s", p.name, what, spanText(w))
	if reason != "" {
		line += ": " + reason
	}
	fmt.Fprintln(p.line.w, line)
}

// Committed moves the line.
func (p *Backfill) Committed(c exporter.Commit) {
	p.windows++
	p.records += c.Entry.Records.Fresh
	p.objects += len(c.Entry.Objects)
	p.done += c.Entry.Window.Span()
	if p.draw(); p.line.moves || p.now().Sub(p.told) < logEvery {
		return
	}
	p.told = p.now()
	p.log.Info("progress", zap.Float64("percent", float64(int(p.part()*1000))/10), zap.Time("cursor", c.Entry.Cursor),
		zap.Int("records", p.records), zap.Int("records_per_second", int(p.rate())), zap.Duration("left", p.left()))
}

func (p *Backfill) draw() {
	if p.plan.Span() > 0 {
		p.line.draw(p.text())
	}
}

func (p *Backfill) text() string {
	line := fmt.Sprintf("%-7s %s  %d records", p.name, bar(p.part()), p.records)
	if p.windows > 0 {
		line += fmt.Sprintf(", %.0f/s, %s left", p.rate(), p.left())
	}
	return line
}

// part is the part of the planned time that is done.
func (p *Backfill) part() float64 {
	if p.plan.Span() == 0 {
		return 1
	}
	return float64(p.done) / float64(p.plan.Span())
}

// rate is in records a second.
func (p *Backfill) rate() float64 {
	return float64(p.records) / max(p.now().Sub(p.began).Seconds(), 1e-3)
}

// left is how long the rest will take at the same speed; 0 before the first commit.
func (p *Backfill) left() time.Duration {
	if p.done == 0 {
		return 0
	}
	elapsed := p.now().Sub(p.began)
	return time.Duration(float64(elapsed) * (1 - p.part()) / p.part()).Round(time.Second)
}

// A backfillSummary is the result of a backfill. backfill -o json prints its JSON: keys are only ever added.
type backfillSummary struct {
	Stream  string        `json:"stream"`
	Status  string        `json:"status"` // done or stopped
	From    time.Time     `json:"from"`
	To      time.Time     `json:"to"`
	Windows int           `json:"windows"`
	Records int           `json:"records"`
	Objects int           `json:"objects"`
	Percent float64       `json:"percent"` // of the time that the backfill did not skip
	Seconds float64       `json:"seconds"`
	Skipped []skippedSpan `json:"skipped"`
}

type skippedSpan struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason"`
}

// End prints the result. If the backfill failed before it had a plan, End prints nothing.
func (p *Backfill) End(w io.Writer, form string, complete bool) error {
	if p.plan == nil {
		return nil
	}
	p.line.clear()
	if form == "json" {
		return JSON(w, p.summary(complete))
	}
	_, err := fmt.Fprintln(w, p.name+": "+p.outcome(complete))
	return err
}

func (p *Backfill) summary(complete bool) backfillSummary {
	s := backfillSummary{
		Stream: p.name, Status: "stopped", From: p.plan.Asked.Start.UTC(), To: p.plan.Asked.End.UTC(),
		Windows: p.windows, Records: p.records, Objects: p.objects, Percent: float64(int(p.part()*1000)) / 10,
		Seconds: p.now().Sub(p.began).Round(time.Millisecond).Seconds(), Skipped: []skippedSpan{},
	}
	if complete {
		s.Status = "done"
	}
	for _, skipped := range p.plan.Skipped {
		s.Skipped = append(s.Skipped, skippedSpan{skipped.Start.UTC(), skipped.End.UTC(), skipped.Reason})
	}
	return s
}

// outcome is the summary as a line for people.
func (p *Backfill) outcome(complete bool) string {
	asked := p.plan.Asked
	written := fmt.Sprintf("%d records in %s", p.records, objects(p.name, p.objects))
	switch {
	case !complete:
		return fmt.Sprintf("stopped at %d%% of %s: %s; the same command goes on from there", int(100*p.part()), spanText(asked), written)
	case p.plan.Span() > 0:
		return fmt.Sprintf("%sed %s: %s, in %s", p.verb, spanText(asked), written, p.now().Sub(p.began).Round(10*time.Millisecond))
	case asked.Span() == 0:
		return "nothing to " + p.verb + ": BloodHound has no record before " + Instant(asked.End)
	default:
		return "nothing left to " + p.verb + " of " + spanText(asked)
	}
}

func spanText(w window.Window) string {
	return Instant(w.Start) + " to " + Instant(w.End)
}
