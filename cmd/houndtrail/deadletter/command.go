// Package deadletter is the work of the command houndtrail deadletter: it shows the records that the webhook's receiver refuses, sends
// them again, or drops them.
//
// To look, it takes no lease. To send or drop, it takes the journal's lease, as every commit does: so it works beside a running
// exporter, between two of its cycles. If the exporter is in a cycle, the command waits.
package deadletter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
)

// List prints the open letters of the webhook stream and of its backfill, oldest first. The form is table or json.
func List(ctx context.Context, set *stream.Set, out io.Writer, form string) error {
	open, err := openLetters(ctx, set)
	if err != nil {
		return err
	}
	return printAll(ctx, out, open, form)
}

// Show prints the open letter of an event, and below it the bytes that the receiver got.
func Show(ctx context.Context, set *stream.Set, out io.Writer, eventID string) error {
	open, err := openLetters(ctx, set)
	if err == nil {
		open, err = chosen(open, []string{eventID}, false)
	}
	if err != nil {
		return err
	}
	l, err := open[0].box.Read(ctx, open[0].Letter)
	if err != nil {
		return &stream.Error{Stream: open[0].journal, Err: stream.At(exporter.StageSink, err)}
	}
	if err := show.Pretty(out, l); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\n%s\n", l.Item)
	return err
}

// An openLetter is an open letter of a journal.
type openLetter struct {
	checkpoint.Letter

	id      string // the event id
	journal string
	box     *deadletter.Box
}

// journals are the journals that can have letters.
func journals() []string { return []string{stream.Webhook, stream.BackfillOf(stream.Webhook)} }

func openLetters(ctx context.Context, set *stream.Set) (all []openLetter, err error) {
	for _, journal := range journals() {
		box, err := set.Letters(ctx, journal)
		if err != nil {
			return nil, err
		}
		open, err := box.Open(ctx)
		if err != nil {
			return nil, &stream.Error{Stream: journal, Err: stream.At(exporter.StageCheckpoint, err)}
		}
		for _, l := range open {
			id := ndjson.EventID(set.Tenant(), &record.Record{ID: l.ID, CreatedAt: l.CreatedAt})
			all = append(all, openLetter{l, id, journal, box})
		}
	}
	return all, nil
}

// chosen are the open letters with these event ids, or all of them.
func chosen(open []openLetter, ids []string, all bool) (found []openLetter, err error) {
	if all {
		return open, nil
	}
	for _, id := range ids {
		before := len(found)
		for _, l := range open {
			if strings.HasSuffix(id, fmt.Sprintf("/%d/%d", l.ID, l.CreatedAt.UnixMicro())) { // the tenant may have moved since
				found = append(found, l)
			}
		}
		if len(found) == before {
			return nil, stream.Usagef("no open letter has the event id %q: houndtrail deadletter list shows those that are open; a letter that "+
				"was sent or dropped is in the journal: houndtrail history --stream webhook -o json", id)
		}
	}
	return found, nil
}

// A row is a letter as list prints it.
type row struct {
	Stream string `json:"stream"`
	deadletter.Letter
	Problem string `json:"problem,omitempty"` // why the letter cannot be read
}

// print prints letters. It also prints those that cannot be read.
func printAll(ctx context.Context, out io.Writer, open []openLetter, form string) error {
	var problems []error
	table := show.NewTable(out, []show.Column[row]{
		{Name: "EVENT ID", Cell: func(r row) string { return show.Cell(r.EventID) }},
		{Name: "REFUSED", Cell: func(r row) string { return show.Second(r.RefusedAt) }},
		{Name: "BACKFILL", Cell: func(row) string { return "yes" }, Needed: func(r row) bool { return r.Stream != stream.Webhook }},
		{Name: "ANSWER", Cell: func(r row) string { return show.Cell(r.Answer + r.Problem) }},
	})
	for _, o := range open {
		l, err := o.box.Read(ctx, o.Letter)
		r := row{Stream: o.journal, Letter: l}
		if err != nil {
			problems = append(problems, &stream.Error{Stream: o.journal, Err: stream.At(exporter.StageSink, err)})
			r.EventID, r.Problem = o.id, err.Error()
		}
		r.Item = nil // only its size counts here
		if form == "json" {
			err = show.JSON(out, r)
		} else {
			err = table.Add(r)
		}
		if err != nil {
			return err
		}
	}
	if form == "table" && len(open) == 0 {
		fmt.Fprintln(out, "The dead letter is empty: the receiver lacks no record.")
	}
	return errors.Join(append([]error{table.Flush()}, problems...)...)
}
