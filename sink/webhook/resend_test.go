package webhook_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
	"github.com/houndtrail/houndtrail/sink/webhook/schema"
)

// A form is a form in which a stream sends records.
type form struct{ format, schema string }

func forms() (all []form) {
	for _, name := range format.Names() {
		all = append(all, form{name, schema.Native})
	}
	return append(all, form{format.NDJSON, "ecs"}, form{format.ElasticBulk, "ecs"})
}

// letterIn returns the letter of a record that a receiver of the form refuses.
func letterIn(t *testing.T, f form, bad *record.Record) deadletter.Letter {
	t.Helper()
	p, l := newPoisoned(f.format, *bad), newLetterbox()
	o := formatOptions(p, l)
	o.Schema = f.schema
	rs := []record.Record{*bad}
	receipt, err := sinktest.Write(t.Context(), newSink(t, o), windowOf(rs), rs)
	if err != nil || len(receipt.Letters) != 1 {
		t.Fatalf("letters %v, %v", receipt.Letters, err)
	}
	letter, err := l.box().Read(t.Context(), receipt.Letters[0])
	if err != nil {
		t.Fatal(err)
	}
	return letter
}

// A letter goes to the receiver in the form of the stream, whichever form it had when it was refused. Its old bytes go only to a
// receiver of the old form. In the new form, the bytes are those that the receiver would have got in a window.
func TestResendInEachForm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rs := records(t, 1)
		bad := rs[0]
		id := ndjson.EventID(tenant, &bad)
		for _, was := range forms() {
			letter := letterIn(t, was, &bad)
			for _, is := range forms() {
				p := newPoisoned(is.format)
				o := formatOptions(p, newLetterbox())
				o.Schema, o.Letters = is.schema, nil
				s := newSink(t, o)
				_, err := s.Resend(t.Context(), letter, nil)
				if same := was == is; s.Writes(letter) != same || (err == nil) != same || p.got[id] > 0 != same {
					t.Errorf("its bytes in %v, sent to %v: %v, and it got %v", was, is, err, p.got)
				}
				clear(p.got)
				sent, err := s.Resend(t.Context(), letter, &bad)
				if err != nil || p.got[id] != 1 || sent.Records != 1 || sent.MinID != bad.ID {
					t.Errorf("the record, refused in %v, sent to %v: %v, and it got %v", was, is, err, p.got)
				}
				window, err := sinktest.Write(t.Context(), newSink(t, o), windowOf(rs), rs)
				if err != nil || window.Objects[0].SHA256 != sent.SHA256 {
					t.Errorf("the record, sent to %v, is not as in a window: %v", is, err)
				}
			}
		}
	})
}

// A record that blocks its stream names the setting that lets the others go on, in every format and whatever its refusal is. If the
// dead letter would not help, nothing names it: a letter that is sent again, and an answer that is about no record.
func TestRefusedRecordNamesTheDeadLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rs := records(t, 20)
		const dead = "HOUNDTRAIL_DEAD_LETTER=on"
		for _, f := range forms() {
			p := newPoisoned(f.format, rs[7])
			o := formatOptions(p, newLetterbox())
			o.Schema, o.Letters, o.LettersOff = f.schema, nil, true
			_, err := sinktest.Write(t.Context(), newSink(t, o), windowOf(rs), rs)
			if err == nil || strings.Count(err.Error(), dead) != 1 || !strings.Contains(err.Error(), ndjson.EventID(tenant, &rs[7])) {
				t.Errorf("%v: %v", f, err)
			}
			o.LettersOff = false
			if _, err := newSink(t, o).Resend(t.Context(), letterIn(t, f, &rs[7]), nil); err == nil || strings.Contains(err.Error(), dead) {
				t.Errorf("%v, sent again: %v", f, err)
			}
		}
		for status, names := range map[int]int{413: 1, 422: 1, 400: 1, 401: 0, 404: 0, 503: 0} {
			refuses := &receiver{answer: func(int, post) (reply, error) { return answer(status, "no"), nil }}
			s := newSink(t, webhook.Options{Transport: refuses, LettersOff: true, RetryFor: 1})
			_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
			if err == nil || strings.Count(err.Error(), dead) != names {
				t.Errorf("%d: %v", status, err)
			}
		}
	})
}
