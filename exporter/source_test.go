package exporter_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// TestSources holds every kind of source to the contract of [exporter.Source]: the API, and the archive, before and after a compaction.
func TestSources(t *testing.T) {
	t.Parallel()
	w := month(t, bloodhoundtest.V84, 400)
	w.pageSize, w.records = 20, 21 // several windows a day
	api := w.process(w.positions, w.objects).Source
	w.run()
	cursor := w.entries()[len(w.entries())-1].Cursor
	batch, err := api.Fetch(t.Context(), time.Time{}, cursor.Add(-time.Microsecond), bloodhound.Limits{})
	if err == nil {
		err = batch.Wait()
	}
	if err != nil {
		t.Fatal(err)
	}
	log := slices.Clone(batch.Records())
	t.Run("API", func(t *testing.T) { conforms(t, api, log, cursor) })
	t.Run("archive", func(t *testing.T) { conforms(t, w.source(w.positions, w.objects), log, cursor) })
	if w.compact() == 0 {
		t.Fatal("nothing was compacted")
	}
	t.Run("compacted archive", func(t *testing.T) { conforms(t, w.source(w.positions, w.objects), log, cursor) })
}

// conforms checks a source whose log is known up to an instant.
func conforms(t *testing.T, s exporter.Source, log []record.Record, cursor time.Time) {
	t.Helper()
	ctx, random := t.Context(), rand.New(rand.NewPCG(1, 2))
	oldest, newest := log[0].CreatedAt, log[len(log)-1].CreatedAt
	extent, err := s.Extent(ctx, cursor)
	if err != nil || extent.Empty || extent.Oldest.After(oldest) || oldest.Sub(extent.Oldest) > 30*24*time.Hour {
		t.Errorf("the extent is %+v, %v; the oldest record is of %s", extent, err, oldest)
	}
	if at, ok, err := s.Newest(ctx); err != nil || !ok || at.Before(newest) {
		t.Errorf("the newest record is of %s, %t, %v; want %s", at, ok, err, newest)
	}
	if reading, err := s.Clock(ctx); err != nil || reading.Server.Before(cursor) {
		t.Errorf("the clock is %+v, %v", reading, err)
	}
	for range 20 {
		r := log[random.IntN(len(log))]
		if found, err := s.Has(ctx, r.ID, r.CreatedAt); err != nil || !found {
			t.Errorf("id %d of %s is not there: %v", r.ID, r.CreatedAt, err)
		}
		if found, err := s.Has(ctx, r.ID+1_000_000, r.CreatedAt); err != nil || found {
			t.Errorf("a record is there that is not in the log: %v", err)
		}
	}
	instant := func() time.Time {
		if random.IntN(2) == 0 { // the edges of spans are where records are lost
			return log[random.IntN(len(log))].CreatedAt
		}
		return oldest.Add(time.Duration(random.Int64N(int64(cursor.Sub(oldest)))))
	}
	for range 40 {
		from, to := instant(), instant()
		if to.Before(from) {
			from, to = to, from
		}
		from, to = from.Truncate(time.Microsecond), to.Truncate(time.Microsecond)
		want := slices.Clone(log)
		want = slices.DeleteFunc(want, func(r record.Record) bool { return r.CreatedAt.Before(from) || r.CreatedAt.After(to) })
		fetches(t, s, from, to, want)
		fetchesWithin(t, s, from, to, want)
		fetchesParts(t, s, from, to, want)
		if n, known, err := s.Count(ctx, from); err != nil || known && n < int64(len(want)) {
			t.Errorf("the count from %s on is %d, %v; want %d or more", from, n, err, len(want))
		}
		if to.Equal(from) {
			continue
		}
		within := slices.DeleteFunc(slices.Clone(want), func(r record.Record) bool { return r.CreatedAt.Equal(to) })
		at, ok, err := s.First(ctx, from, to)
		switch {
		case err != nil:
			t.Error(err)
		case len(within) > 0 && (!ok || at.After(within[0].CreatedAt)):
			t.Errorf("no record from %s to %s is before %s, %t; want %s", from, to, at, ok, within[0].CreatedAt)
		case ok && at.Before(from):
			t.Errorf("the first record from %s on is of %s", from, at)
		}
	}
}

func fetches(t *testing.T, s exporter.Source, from, to time.Time, want []record.Record) {
	t.Helper()
	batch, err := s.Fetch(t.Context(), from, to, bloodhound.Limits{})
	if err == nil {
		err = batch.Wait()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	sameRecords(t, batch.Records(), want)
	if len(batch.Holes()) > 0 {
		t.Errorf("%+v are holes", batch.Holes())
	}
}

// sameRecords compares records: every column, and the text that the server sent.
func sameRecords(t *testing.T, got, want []record.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		var a, b map[string]any
		if err := errors.Join(json.Unmarshal([]byte(g.Raw), &a), json.Unmarshal([]byte(w.Raw), &b)); err != nil {
			t.Fatal(err)
		}
		for key, value := range b { // the archive writes an absent key as null, and created_at in UTC
			if value == nil || key == "created_at" {
				delete(a, key)
				delete(b, key)
			}
		}
		for key, value := range a {
			if value == nil {
				delete(a, key)
			}
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("the text of id %d is %s, want %s", g.ID, g.Raw, w.Raw)
		}
		if g.Raw, w.Raw = "", ""; g != w {
			t.Errorf("got %+v, want %+v", g, w)
		}
	}
}

// fetchesWithin fetches with limits: the batch keeps them, or Fetch says that it is too much.
func fetchesWithin(t *testing.T, s exporter.Source, from, to time.Time, want []record.Record) {
	t.Helper()
	const most = 50
	batch, err := s.Fetch(t.Context(), from, to, bloodhound.Limits{Records: most, Since: from})
	if err == nil {
		err = batch.Wait()
	}
	tooMany := (*bloodhound.TooManyError)(nil)
	switch {
	case errors.As(err, &tooMany):
		if tooMany.Fill <= 0 || len(want) < most/2 {
			t.Errorf("%d records are too many: %v", len(want), err)
		}
	case err != nil:
		t.Error(err)
	default:
		sameRecords(t, batch.Records(), want)
		batch.Release()
	}
}

func fetchesParts(t *testing.T, s exporter.Source, from, to time.Time, want []record.Record) {
	t.Helper()
	got := map[int64]record.Record{}
	batch, err := s.FetchParts(t.Context(), from, to, bloodhound.Limits{Records: 40}, func(part []record.Record) error {
		if !slices.IsSortedFunc(part, func(a, b record.Record) int { return record.Compare(&a, &b) }) {
			t.Error("a part is not sorted")
		}
		for _, r := range part {
			got[r.ID] = r
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(batch.Holes()) > 0 {
		t.Errorf("%+v are holes", batch.Holes())
	}
	for _, r := range want {
		if _, ok := got[r.ID]; !ok {
			t.Errorf("id %d of %s came in no part", r.ID, r.CreatedAt)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d records came in parts, want %d", len(got), len(want))
	}
	enough := errors.New("enough")
	if _, err := s.FetchParts(t.Context(), from, to, bloodhound.Limits{}, func([]record.Record) error { return enough }); len(want) > 0 &&
		!errors.Is(err, enough) {
		t.Errorf("the error of the caller is %v", err)
	}
}
