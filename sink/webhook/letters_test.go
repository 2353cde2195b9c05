package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// One poisoned record among 10,000 goes into the dead letter, and 9,999 arrive, in every format. The receipt has each record once.
func TestOnePoisonedRecordInEachFormat(t *testing.T) {
	t.Parallel()
	rs := records(t, 10_000)
	bad := rs[6543]
	for _, name := range format.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, l := newPoisoned(name, bad), newLetterbox()
				receipt, err := sinktest.Write(t.Context(), newSink(t, formatOptions(p, l)), windowOf(rs), rs)
				if err != nil {
					t.Fatal(err)
				}
				checkLettered(t, p, receipt, rs, bad)
				checkLetter(t, l, receipt.Letters[0], name, bad)
			})
		})
	}
}

// checkLettered checks that the receiver has all records but one, and that the receipt says so.
func checkLettered(t *testing.T, p *poisoned, receipt checkpoint.Receipt, rs []record.Record, bad record.Record) {
	t.Helper()
	delivered := 0
	for _, o := range receipt.Objects {
		delivered += o.Records
	}
	if len(receipt.Letters) != 1 || receipt.Letters[0].ID != bad.ID || delivered != len(rs)-1 {
		t.Fatalf("the receipt has %d records and the letters %+v", delivered, receipt.Letters)
	}
	if len(p.got) != len(rs)-1 || p.got[ndjson.EventID(tenant, &bad)] > 0 {
		t.Fatalf("%d records arrived", len(p.got))
	}
	if at := slices.IndexFunc(rs, func(r record.Record) bool { return r.ID == bad.ID }); receipt.Letters[0].Nth != int64(at)+1 {
		t.Errorf("it is record %d of the window, and the letter says %d", at+1, receipt.Letters[0].Nth)
	}
}

// checkLetter checks the object of a letter.
func checkLetter(t *testing.T, l *letterbox, ref checkpoint.Letter, name string, bad record.Record) {
	t.Helper()
	got, err := l.box().Read(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	id := ndjson.EventID(tenant, &bad)
	if got.EventID != id || got.Format != name || got.Status == 0 || got.Answer == "" || !bytes.Contains(got.Item, []byte(id)) {
		t.Errorf("the letter is %+v", got)
	}
	if name == format.NDJSON && !bytes.Equal(got.Item, lines([]record.Record{bad})) {
		t.Errorf("the item is %q", got.Item)
	}
}

// If the receiver refuses everything, the stream stops and says why. Nothing of that goes into the dead letter, also not by many
// restarts. After people mend the receiver, every record arrives.
func TestAlikeIsNoPoison(t *testing.T) {
	t.Parallel()
	for _, name := range format.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rs := records(t, 400)
				p, l := newPoisoned(name), newLetterbox()
				p.all = true
				for range 3 { // three processes
					for from := 0; from < len(rs); from += 4 { // small windows, which may pass one by one
						some := rs[from : from+4]
						if from < len(l.newest.DeadLetters) {
							continue
						}
						receipt, err := sinktest.Write(t.Context(), newSink(t, formatOptions(p, l)), windowAt(some), some)
						if err != nil {
							checkStop(t, err)
							break
						}
						l.commit(receipt, len(some))
					}
					if n := len(l.newest.DeadLetters); n > deadletter.Most {
						t.Fatalf("%d letters", n)
					}
				}
				before := len(l.newest.DeadLetters)
				p.all = false
				rest := rs[before:]
				receipt, err := sinktest.Write(t.Context(), newSink(t, formatOptions(p, l)), windowAt(rest), rest)
				if err != nil || len(receipt.Letters) > 0 || len(p.got) != len(rest) {
					t.Errorf("afterwards %d of %d records arrived, %v", len(p.got), len(rest), err)
				}
			})
		})
	}
}

func checkStop(t *testing.T, err error) {
	t.Helper()
	for _, part := range []string{"HOUNDTRAIL_WEBHOOK_URL", "fault of the records"} {
		if !strings.Contains(err.Error(), part) {
			t.Fatalf("it stops with: %v", err)
		}
	}
}

// In one large window, the receiver refuses one record of fifty. The sink stops, and withdraws what it has judged before: after the
// receiver is mended, the same sink delivers every record.
func TestStopWithdraws(t *testing.T) {
	t.Parallel()
	rs := records(t, 2000)
	p, l := newPoisoned(format.NDJSON), newLetterbox()
	for i := 0; i < len(rs); i += 50 {
		p.bad[ndjson.EventID(tenant, &rs[i])] = true
	}
	s := newSink(t, formatOptions(p, l))
	for range 3 {
		_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
		if err == nil {
			t.Fatal("no error")
		}
		checkStop(t, err)
		if n := len(l.objects(t)); n > deadletter.Most {
			t.Fatalf("%d letters are written", n)
		}
	}
	clear(p.bad)
	receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
	if err != nil || len(receipt.Letters) > 0 || len(p.got) != len(rs) {
		t.Errorf("afterwards %d records arrived, with the letters %v: %v", len(p.got), receipt.Letters, err)
	}
}

// An answer with refused and busy items: the refused ones are letters, the busy ones come again, the others come once.
func TestRefusedAndBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rs := records(t, 1000)
		d, l := newBulkDouble(), newLetterbox()
		d.item = func(id string) string {
			switch n := slices.IndexFunc(rs, func(r record.Record) bool { return ndjson.EventID(tenant, &r) == id }); {
			case n%300 == 7:
				return unmapped
			case n%100 == 9 && len(d.sent) < 3:
				return busy
			}
			return ""
		}
		s := newSink(t, webhook.Options{Transport: d, Format: format.ElasticBulk, Letters: l.box()})
		receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
		if err != nil || len(receipt.Letters) != 4 || len(d.stored) != 996 {
			t.Fatalf("%d letters, %d stored, %v", len(receipt.Letters), len(d.stored), err)
		}
		for id, times := range d.stored {
			if times != 1 {
				t.Errorf("%s is stored %d times", id, times)
			}
		}
	})
}

// A record that stays too large goes into the dead letter too. An answer about credentials, or none, never does.
func TestWhichAnswersMakeLetters(t *testing.T) {
	t.Parallel()
	for status, letters := range map[int]int{400: 1, 422: 1, 413: 1, 401: 0, 403: 0, 404: 0, 429: 0, 503: 0, 301: 0} {
		rs := records(t, 3)
		id := ndjson.EventID(tenant, &rs[1])
		l := newLetterbox()
		rc := &receiver{answer: func(_ int, p post) (reply, error) {
			if bytes.Contains(p.body, []byte(id)) {
				return answer(status, "no"), nil
			}
			return answer(http.StatusNoContent), nil
		}}
		s := newSink(t, webhook.Options{Transport: rc, Letters: l.box(), RetryFor: 1})
		receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
		if len(receipt.Letters) != letters || (err == nil) != (letters > 0) || len(l.objects(t)) != letters {
			t.Errorf("%d: letters %v, %v", status, receipt.Letters, err)
		}
	}
}

// If the store of the letters fails, the window fails. Nothing is lost: after the store is well again, the window comes again.
func TestLetterIsDurableFirst(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]checkpointtest.Fault{
		"before": {Before: checkpointtest.ErrDead}, "after": {After: checkpointtest.ErrDead},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rs := records(t, 100)
			p, l := newPoisoned(format.NDJSON, rs[42]), newLetterbox()
			store := checkpointtest.NewFaulty(l.store)
			store.On(checkpointtest.Once(checkpointtest.Put, ".json", fault))
			o := formatOptions(p, l)
			o.Letters = deadletter.NewBox(store, "webhook", func(context.Context) (checkpoint.Stored, error) {
				return checkpoint.Stored{}, checkpoint.ErrNotFound
			})
			s := newSink(t, o)
			receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
			if err == nil || len(receipt.Letters) > 0 || !strings.Contains(err.Error(), ndjson.EventID(tenant, &rs[42])) {
				t.Fatalf("letters %v, %v", receipt.Letters, err)
			}
			receipt, err = sinktest.Write(t.Context(), s, windowOf(rs), rs)
			if err != nil {
				t.Fatal(err)
			}
			checkLettered(t, p, receipt, rs, rs[42])
			if keys := l.objects(t); len(keys) != 1 {
				t.Errorf("the letters %q", keys)
			}
		})
	}
}

// No letter has a secret, even if the receiver repeats all of them, and its answer is bounded.
func TestLetterHidesSecrets(t *testing.T) {
	t.Parallel()
	rs := records(t, 1)
	l := newLetterbox()
	rc := &receiver{answer: func(int, post) (reply, error) {
		return answer(http.StatusBadRequest, "bad Bearer s3cr3t-token at ?key=s3cr3t-key "+strings.Repeat("x", 10_000)), nil
	}}
	s := newSink(t, webhook.Options{
		URL: "https://siem.example/in?key=s3cr3t-key", Transport: rc, Letters: l.box(),
		Authorization: func() (string, error) { return "Bearer s3cr3t-token", nil },
	})
	receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
	if err != nil {
		t.Fatal(err)
	}
	letter, err := l.box().Read(t.Context(), receipt.Letters[0])
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(letter)
	if err != nil || bytes.Contains(text, []byte("s3cr3t")) || len(text) > 2000 {
		t.Errorf("%d bytes, %v: %s", len(text), err, text)
	}
}
