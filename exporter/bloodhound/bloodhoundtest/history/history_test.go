package history_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
)

var many = history.Options{Seed: 7, N: 40_000, FirstID: 5000}

func TestHistoryIsDecidedByItsOptions(t *testing.T) {
	opts := history.Options{Seed: 3, N: 3000}
	first, second := history.Rows(opts), history.Rows(opts)
	if !reflect.DeepEqual(first, second) {
		t.Error("the same options gave two histories")
	}
	opts.Seed++
	if reflect.DeepEqual(first, history.Rows(opts)) {
		t.Error("another seed gave the same history")
	}
}

func TestHistoryKeepsToItsSpan(t *testing.T) {
	end := time.Date(2026, 3, 2, 10, 30, 0, 0, time.UTC)
	for _, span := range []time.Duration{0, time.Second, time.Hour, 36 * time.Hour, 400 * 24 * time.Hour} {
		for _, n := range []int{0, 1, 2, 500, 5000} {
			rows := history.Rows(history.Options{N: n, Start: end.Add(-span), End: end})
			if len(rows) != n {
				t.Errorf("%d rows, want %d", len(rows), n)
			}
			ids := make(map[int64]bool)
			for i, r := range rows {
				if r.CreatedAt.Before(end.Add(-span)) || r.CreatedAt.After(end) || r.ID < 1 || ids[r.ID] {
					t.Fatalf("row %+v", r)
				}
				ids[r.ID] = true
				if i > 0 && r.CreatedAt.Before(rows[i-1].CreatedAt) {
					t.Fatalf("row %d is older than the one before", i)
				}
			}
		}
	}
}

func TestHistoryFieldsAreAsTheServerPrintsThem(t *testing.T) {
	escaped := 0
	for _, r := range history.Rows(many) {
		if r.Fields == nil {
			continue
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(r.Fields, &object); err != nil {
			t.Fatalf("%s: %v in %s", r.Action, err, r.Fields)
		}
		again, err := json.Marshal(object) // sorts the keys of the first level and escapes all
		if err != nil || !bytes.Equal(again, r.Fields) {
			t.Fatalf("%s:\ngot  %s\nwant %s", r.Action, r.Fields, again)
		}
		if bytes.Contains(r.Fields, []byte(`\u003c`)) {
			escaped++
		}
	}
	if escaped == 0 {
		t.Error("no escapes at all")
	}
}

// between checks a share, in rows of a thousand.
func between(t *testing.T, what string, n, of int, low, high float64) {
	t.Helper()
	if share := float64(n) * 1000 / float64(of); math.IsNaN(share) || share < low || share > high {
		t.Errorf("%s: %d of %d is %.1f in a thousand, want %v to %v", what, n, of, share, low, high)
	}
}

func TestHistoryIsBelievable(t *testing.T) {
	rows := history.Rows(many)
	n := len(rows)
	var late, gaps, swaps, zoned, round, unicode, nulls, ties, chains, weekend, night, anonymous, failures int
	actions, actors, sources := make(map[string]int), make(map[string]int), make(map[string]map[string]bool)
	commits := make(map[string][]bt.Row)
	for i, r := range rows {
		actions[r.Action]++
		commits[r.CommitID] = append(commits[r.CommitID], r)
		count := func(n *int, yes bool) {
			if yes {
				*n++
			}
		}
		count(&late, r.VisibleAt.After(r.CreatedAt))
		count(&gaps, i > 0 && r.ID > rows[i-1].ID+1)
		count(&swaps, i > 0 && r.ID < rows[i-1].ID)
		count(&ties, i > 0 && r.CreatedAt.Equal(rows[i-1].CreatedAt))
		count(&zoned, r.Zone != nil)
		count(&round, r.CreatedAt.Nanosecond()%1_000_000 == 0)
		count(&unicode, strings.ContainsFunc(r.ActorName, func(c rune) bool { return c > 127 }))
		count(&nulls, r.Fields == nil)
		count(&chains, strings.Contains(r.SourceIP, ","))
		count(&anonymous, r.ActorID == "")
		count(&failures, r.Status == "failure")
		day := r.CreatedAt.Weekday()
		count(&weekend, day == time.Saturday || day == time.Sunday)
		count(&night, r.CreatedAt.Hour() < 6 || r.CreatedAt.Hour() > 18)
		if r.ActorID != "" && r.SourceIP != "203.0.113.66" {
			actors[r.ActorName]++
			if sources[r.ActorName] == nil {
				sources[r.ActorName] = make(map[string]bool)
			}
			sources[r.ActorName][r.SourceIP] = true
		}
		if d := r.VisibleAt.Sub(r.CreatedAt); !r.VisibleAt.IsZero() && (d < 2*time.Second || d > 4*time.Minute) {
			t.Errorf("row late by %s", d)
		}
	}
	between(t, "late", late, n, 2, 8)
	between(t, "gaps", gaps, n, 20, 50)
	between(t, "swaps", swaps, n, 4, 14)
	between(t, "ties", ties, n, 5, 80)
	between(t, "zoned", zoned, n, 8, 40)
	between(t, "round", round, n, 30, 100)
	between(t, "unicode", unicode, n, 50, 700)
	between(t, "null fields", nulls, n, 10, 60)
	between(t, "chains", chains, n, 20, 400)
	between(t, "weekend", weekend, n, 5, 80)
	between(t, "night", night, n, 5, 100)
	between(t, "anonymous", anonymous, n, 100, 350)
	between(t, "failures", failures, n, 30, 150)
	if len(actions) < 25 || len(actors) < 20 {
		t.Errorf("%d actions by %d people", len(actions), len(actors))
	}
	for name, from := range sources {
		if len(from) != 1 {
			t.Errorf("%s comes from %v", name, from)
		}
	}
	busiest := 0
	for _, did := range actors {
		busiest = max(busiest, did)
	}
	between(t, "the busiest", busiest, n, 150, 600)
	checkPairs(t, commits)
}

// checkPairs checks that an intent and its outcome belong together, and that few intents have no outcome.
func checkPairs(t *testing.T, commits map[string][]bt.Row) {
	t.Helper()
	lone, pairs := 0, 0
	for _, pair := range commits {
		if len(pair) > 2 {
			t.Fatalf("%d rows share a commit", len(pair))
		}
		if len(pair) == 1 {
			if pair[0].Status == "intent" {
				lone++
			}
			continue
		}
		pairs++
		intent, outcome := pair[0], pair[1]
		if intent.Status != "intent" || outcome.Status == "intent" || intent.RequestID != outcome.RequestID ||
			intent.Action != outcome.Action || !outcome.CreatedAt.After(intent.CreatedAt) {
			t.Fatalf("no pair: %+v %+v", intent, outcome)
		}
	}
	between(t, "lone intents", lone, pairs, 1, 150)
}

func TestLarge(t *testing.T) {
	row := history.Large(5 << 20)
	if len(row.Fields) < 5<<20 || !json.Valid(row.Fields) {
		t.Errorf("fields of %d bytes", len(row.Fields))
	}
}
