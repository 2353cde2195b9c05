package page

import (
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

const origin = "acme/houndtrail/archive/6f1c6a0e8b1f4c3b"

var begin = time.Date(2026, 1, 1, 9, 30, 0, 0, time.UTC)

// journals are the journals of a verification that includes everything.
func journals() []verify.Journal {
	return []verify.Journal{
		{Name: "archive", Files: true},
		{Name: "archive-backfill", Files: true, AnyOrder: true},
		{Name: "webhook"},
		{Name: "webhook-backfill", AnyOrder: true},
	}
}

// A writer writes entries to an account.
type writer struct {
	*Account
	stream string
	serial uint64
	start  time.Time
	cursor time.Time
}

func (w *writer) entry(e checkpoint.Checkpoint) {
	w.serial++
	e.Serial, e.Stream, e.Tenant, e.Source, e.Start = w.serial, w.stream, "acme", "https://bloodhound.acme.example.com", w.start
	if e.Kind == checkpoint.KindExport {
		w.cursor = e.Window.End
	}
	e.Cursor = w.cursor
	e.CommittedAt = w.cursor.Add(5 * time.Minute)
	w.Entry(checkpoint.Stored{Checkpoint: e})
}

// export commits a window up to a time, with so many records for each day.
func (w *writer) export(end time.Time, status string, records ...int) {
	e := checkpoint.Checkpoint{Kind: checkpoint.KindExport, Window: window.Window{Start: w.cursor, End: end}}
	if status != "" {
		e.ServerCount = &checkpoint.ServerCount{Status: status}
	}
	for i, n := range records {
		at := w.cursor.Truncate(24*time.Hour).AddDate(0, 0, i)
		e.Records.Read, e.Records.Fresh = e.Records.Read+n, e.Records.Fresh+n
		if n > 0 {
			e.Objects = append(e.Objects, object(at, w.cursor, n))
		}
	}
	w.entry(e)
}

func object(at, start time.Time, n int) checkpoint.Object {
	key := read.Object{Tenant: "acme", Day: at, Start: start, Extension: ".parquet"}.Key()
	return checkpoint.Object{
		Key: key, Records: n, SHA256: fmt.Sprintf("%064x", n), MinCreatedAt: at.Add(12 * time.Hour), MaxCreatedAt: at.Add(13 * time.Hour),
	}
}

// many commits so many days, like a real archive.
func (w *writer) many(days int) (total int64) {
	for n := range days {
		records := (n*7919)%1900 + 40
		if weekday := w.cursor.Weekday(); weekday == time.Saturday || weekday == time.Sunday {
			records /= 9
		}
		status := checkpoint.CountExact
		switch {
		case n%31 == 12:
			status = checkpoint.CountBounded
		case n == 40 || n == 41:
			status = checkpoint.CountUnknown
		case n == 24:
			records = 0
		}
		w.export(w.cursor.Truncate(24*time.Hour).AddDate(0, 0, 1), status, records)
		total += int64(records)
	}
	return total
}

// recorded gives records to an account, as a verification with --read does.
func recorded(a *Account, total int64) {
	each, sound := a.Object()
	actors := []record.Record{
		{ActorID: "6b4f0c1e-4a51-4a83-9c52-1f8c9a4d2e10", ActorName: "svc-collector"},
		{ActorID: "0d5e2c9a-7f02-4d37-8a44-5b6f1f0e9c21", ActorName: "analyst-04", ActorEmail: "analyst-04@acme.example.com"},
		{ActorName: "", Status: "failure"},
	}
	actions := []string{"LoginAttempt", "MutateGraph", "UpdateUser", "CreateAuthToken", "LoginAttempt"}
	for i := range total {
		r := actors[i*i%3]
		r.Action, r.CreatedAt = actions[i%int64(len(actions))], begin.Add(time.Duration(i%1000)*time.Hour)
		if r.Status == "" && i%4 > 0 {
			r.Status = "success"
		}
		each(&r)
	}
	sound()
}

// signed signs a head. It returns the head, and the public key that the reader has.
func signed(t *testing.T, size uint64, cursor time.Time, records int64) (head string, key seal.PublicKey) {
	t.Helper()
	private := ed25519.NewKeyFromSeed([]byte("a seed of a test, of 32 bytes ..")) //gitleaks:allow
	h := seal.Head{Origin: origin, Size: size, Root: seal.Hash{1, 2, 3}, Cursor: cursor, Records: uint64(records)}
	head, err := h.Sign(seal.NewSigner(origin, private))
	if err != nil {
		t.Fatal(err)
	}
	return head, seal.PublicOf(private)
}

// clean returns facts without a finding: every byte was read.
func clean(t *testing.T, days int) Facts {
	t.Helper()
	a := NewAccount(true, journals()...)
	w := &writer{Account: a, stream: "archive", start: begin, cursor: begin}
	total := w.many(days)
	recorded(a, total)
	head, key := signed(t, w.serial, w.cursor, total)
	r := &verify.Report{
		Depth: verify.Read, Keys: []string{key.Fingerprint()}, Heads: 2, Objects: int64(days - 1), Bytes: 1 << 20, Records: total,
		Counts: map[verify.Severity]int{verify.Info: 1},
		Streams: []verify.Stream{{
			Name: "archive", Tenant: "acme", First: 1, Newest: w.serial, Entries: int64(w.serial), Start: begin, Cursor: w.cursor, Delivered: total,
			Origin: origin, Signed: true, Head: head,
		}},
		Findings: []verify.Finding{{
			Code: verify.VersionsUnchecked, Severity: verify.Info, Text: "The earlier versions of objects were not looked at: the store keeps none, " +
				"or does not show them.",
		}},
	}
	return Facts{
		Report: r, Account: a, Keys: []seal.PublicKey{key}, Archive: "s3://acme-audit/houndtrail", Journals: "s3://acme-journal/houndtrail",
		All: true, Version: "1.0.0", Made: w.cursor.Add(8 * time.Hour),
	}
}

// damaged returns facts with findings: records were lost, a time was left out, and a person moved and reset the journal.
func damaged(t *testing.T, days int) Facts {
	t.Helper()
	f := clean(t, days)
	f.Account = NewAccount(false, journals()...)
	w := &writer{Account: f.Account, stream: "archive", start: begin, cursor: begin}
	w.many(days / 2)
	w.cursor = w.cursor.Add(6 * time.Hour)
	w.entry(checkpoint.Checkpoint{
		Kind: checkpoint.KindReset, Reset: &checkpoint.Reset{Reason: "the database was restored after a failure of its disk"},
	})
	w.entry(checkpoint.Checkpoint{Kind: checkpoint.KindMove, Moved: &checkpoint.Move{
		From: checkpoint.Names{Tenant: "acme", Source: "https://old.acme.example.com"}, Reason: "new host name",
	}})
	w.entry(checkpoint.Checkpoint{
		Kind: checkpoint.KindExport, Window: window.Window{Start: w.cursor, End: w.cursor.Add(time.Hour)},
		ServerCount: &checkpoint.ServerCount{Status: checkpoint.CountExact}, Holes: []checkpoint.Hole{{
			CreatedAt: w.cursor, ID: 77, Reason: "the server cannot print actor jane@acme.example.com: 500",
		}},
	})
	w.many(days / 2)
	w.entry(checkpoint.Checkpoint{Kind: checkpoint.KindCompact, Compacted: &checkpoint.Compaction{
		Day: "2026-01-05", Replaced: make([]checkpoint.Replaced, 12),
	}})
	lost := object(begin.Truncate(24*time.Hour).AddDate(0, 0, 3), begin, 41)
	r := f.Report
	r.Depth, r.Heads, r.Objects, r.Keys, f.Keys = verify.Objects, 0, r.Objects-1, nil, nil
	r.Findings = []verify.Finding{
		{
			Code: verify.ObjectMissing, Severity: verify.Error, Stream: "archive", Entry: 4, Key: lost.Key,
			Text: lost.Key + " of entry 4 is not there.", Advice: "Restore it from an earlier version or a backup.",
		},
		{
			Code: verify.WindowGap, Severity: verify.Error, Stream: "archive", Entry: 38, Key: "archive/00000000000000000/00000000000000000038.json",
			Text: "Entry 38 leaves out the time from 2026-02-07T00:00:00Z to 2026-02-07T06:00:00Z: no entry accounts for it.", Advice: "Report it.",
		},
		{Code: verify.TipUnsealed, Severity: verify.Warning, Stream: "archive", Text: "The hint has no head of the newest entry.", Advice: "Run houndtrail once."},
		{Code: verify.KeyUnpinned, Severity: verify.Info, Text: "Signed, and no signature was opened, since you gave no key: archive."},
	}
	r.Counts = map[verify.Severity]int{verify.Error: 2, verify.Warning: 1, verify.Info: 1}
	return f
}
