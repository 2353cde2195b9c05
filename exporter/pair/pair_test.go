package pair_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/pair"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// row is a record: its id, its second, its commit ("" for the zero one), and its status. Its action is A unless the commit names it.
func row(tb testing.TB, id int64, second int, commit, status string) record.Record {
	tb.Helper()
	commit, action, _ := strings.Cut(commit, "/")
	if commit == "" {
		commit = "00000000-0000-0000-0000-000000000000"
	}
	if action == "" {
		action = "A"
	}
	at := noon.Add(time.Duration(second) * time.Second)
	return sinktest.Parse(tb, fmt.Sprintf(`{"id":%d,"created_at":%q,"action":%q,"fields":{"n":"é\u2028"},"commit_id":%q,"status":%q}`,
		id, at.Format(time.RFC3339Nano), action, commit, status))
}

// said is what a record says of its pair: its id, "<" and the second of its intent, and "!" if it is alone.
func said(records []record.Record) (all []string) {
	for i := range records {
		text := fmt.Sprint(records[i].ID)
		if !records[i].Began.IsZero() {
			text += fmt.Sprint("<", records[i].Began.Sub(noon).Seconds())
		}
		if records[i].Lone {
			text += "!"
		}
		all = append(all, text)
	}
	return all
}

func waits(intents []checkpoint.Intent) (ids []int64) {
	for _, i := range intents {
		ids = append(ids, i.ID)
	}
	return ids
}

func TestJoin(t *testing.T) {
	t.Parallel()
	const forever, none = 1 << 30, -1 << 30
	for _, test := range []struct {
		name      string
		waiting   []record.Record // from an earlier window
		delivered []record.Record // in this window, from an earlier one
		fresh     []record.Record
		after     int
		want      []string
		waits     []int64
		counts    [4]int // held, paired, matched, released
	}{{
		name:  "a pair in a window",
		fresh: []record.Record{row(t, 1, 0, "x", "intent"), row(t, 2, 3, "x", "success")},
		want:  []string{"2<0"}, counts: [4]int{0, 1, 0, 0},
	}, {
		name:  "another action of the commit",
		fresh: []record.Record{row(t, 1, 0, "x/A", "intent"), row(t, 2, 3, "x/B", "success")},
		want:  []string{"2"}, waits: []int64{1}, counts: [4]int{1, 0, 0, 0},
	}, {
		name:  "the zero commit joins nothing, and waits for nothing",
		fresh: []record.Record{row(t, 1, 0, "", "intent"), row(t, 2, 3, "", "failure")},
		want:  []string{"1!", "2"},
	}, {
		name:  "an action with one record",
		fresh: []record.Record{row(t, 1, 0, "x", "")}, want: []string{"1"},
	}, {
		name:    "an outcome in a later window",
		waiting: []record.Record{row(t, 1, 0, "x", "intent")},
		fresh:   []record.Record{row(t, 2, 9, "x", "failure")},
		want:    []string{"2<0"}, counts: [4]int{0, 0, 1, 0},
	}, {
		name:    "no outcome in time",
		waiting: []record.Record{row(t, 1, 0, "x", "intent"), row(t, 2, 6, "y", "intent")},
		fresh:   []record.Record{row(t, 3, 9, "z", "success")}, after: 5,
		want: []string{"1!", "3"}, waits: []int64{2}, counts: [4]int{0, 0, 0, 1},
	}, {
		name:  "an intent too old to wait",
		fresh: []record.Record{row(t, 1, 0, "x", "intent"), row(t, 2, 6, "y", "intent")}, after: 5,
		want: []string{"1!"}, waits: []int64{2}, counts: [4]int{1, 0, 0, 0},
	}, {
		name:      "an intent that became visible after its outcome was delivered",
		delivered: []record.Record{row(t, 2, 3, "x", "success")},
		fresh:     []record.Record{row(t, 1, 0, "x", "intent")}, after: forever,
		counts: [4]int{0, 1, 0, 0},
	}, {
		name:      "a delivered pair takes no other intent",
		delivered: []record.Record{row(t, 1, 0, "x", "intent"), row(t, 2, 3, "x", "success")},
		fresh:     []record.Record{row(t, 3, 4, "x", "intent")}, after: none,
		waits: []int64{3}, counts: [4]int{1, 0, 0, 0},
	}, {
		name: "each outcome takes one intent, the oldest first",
		fresh: []record.Record{
			row(t, 1, 0, "x", "intent"), row(t, 2, 1, "x", "intent"), row(t, 3, 2, "x", "success"), row(t, 4, 3, "x", "success"),
			row(t, 5, 4, "x", "success"),
		},
		want: []string{"3<0", "4<1", "5"}, counts: [4]int{0, 2, 0, 0},
	}, {
		name:  "an outcome is not older than its intent",
		fresh: []record.Record{row(t, 1, 0, "x", "success"), row(t, 2, 1, "x", "intent")}, after: forever,
		want: []string{"1", "2!"},
	}, {
		name:  "one instant, and the outcome's id is lower",
		fresh: []record.Record{row(t, 1, 0, "x", "success"), row(t, 2, 0, "x", "intent")},
		want:  []string{"1<0"}, counts: [4]int{0, 1, 0, 0},
	}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			at := func(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }
			if test.after == 0 {
				test.after = none
			}
			if max(test.after, -test.after) == forever {
				test.after /= 1000 // within the range of a Duration
			}
			before, err := pair.Of(test.waiting).Join(nil, slices.Clone(test.waiting), at(none/1000))
			if err != nil || len(before.Waiting) != len(test.waiting) {
				t.Fatalf("%d wait: %v", len(before.Waiting), err)
			}
			w := pair.Of(slices.Concat(test.delivered, test.fresh))
			got, err := w.Join(before.Waiting, slices.Clone(test.fresh), at(test.after))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, said(got.Records)); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.waits, waits(got.Waiting)); diff != "" {
				t.Errorf("wait (-want +got):\n%s", diff)
			}
			if counts := [4]int{got.Held, got.Paired, got.Matched, got.Released}; counts != test.counts {
				t.Errorf("counts %v, want %v", counts, test.counts)
			}
		})
	}
}

// An intent that waited comes out as it went in.
func TestReleased(t *testing.T) {
	t.Parallel()
	want := row(t, 7, 0, "x", "intent")
	held, err := pair.Of([]record.Record{want}).Join(nil, []record.Record{want}, noon.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	other := row(t, 6, -1, "y", "")
	got, err := pair.Part(held.Waiting, []record.Record{other}, time.Time{})
	want.Lone = true
	if diff := cmp.Diff([]record.Record{other, want}, got.Records); err != nil || diff != "" || got.Released != 1 || len(got.Waiting) > 0 {
		t.Error(err, diff)
	}
	_, err = pair.Part([]checkpoint.Intent{{ID: 7, Record: `{"id":"seven"}`}}, nil, time.Time{})
	if err == nil || !strings.Contains(err.Error(), "the intent 7") {
		t.Errorf("a record that cannot be read: %v", err)
	}
}

// The intents that wait are bounded, in number and in bytes. The oldest ones go first.
func TestBounds(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 100<<10)
	for name, fields := range map[string]string{"many": "{}", "large": `{"text":"` + large + `"}`} {
		var fresh []record.Record
		for id := range int64(300) {
			fresh = append(fresh, sinktest.Parse(t, fmt.Sprintf(`{"id":%d,"created_at":%q,"action":"A","fields":%s,"commit_id":"c%d","status":"intent"}`,
				id+1, noon.Add(time.Duration(id)*time.Second).Format(time.RFC3339), fields, id)))
		}
		j, err := pair.Of(fresh).Join(nil, fresh, noon.Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		most := map[string]int{"many": 256, "large": 2}[name]
		if len(j.Waiting) != most || len(j.Records) != 300-most || j.Held-j.Released != most || j.Records[0].ID != 1 || j.Waiting[most-1].ID != 300 {
			t.Errorf("%s: %d wait, %d were sent, counts %d and %d", name, len(j.Waiting), len(j.Records), j.Held, j.Released)
		}
	}
}

// However the records of a log come in windows, each outcome is sent once, and each intent waits, is sent alone, or has an outcome.
func TestEachOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(r, "records")
		var all []record.Record
		for id := range n {
			all = append(all, row(t, int64(id+1), rapid.IntRange(0, 100).Draw(r, "second"),
				rapid.SampledFrom([]string{"", "a", "b", "c", "d/B", "e"}).Draw(r, "commit"),
				rapid.SampledFrom([]string{"intent", "success", "failure", ""}).Draw(r, "status")))
		}
		slices.SortFunc(all, func(a, b record.Record) int { return record.Compare(&a, &b) })
		window := map[int64]int{} // in which each record becomes visible
		const windows = 4
		for i := range all {
			window[all[i].ID] = rapid.IntRange(0, windows-1).Draw(r, "window")
		}
		var waiting []checkpoint.Intent
		sent, intents := map[int64]record.Record{}, 0
		paired := 0
		for k := range windows {
			var read, fresh []record.Record
			for i := range all {
				if window[all[i].ID] <= k {
					read = append(read, all[i])
				}
				if window[all[i].ID] == k {
					fresh = append(fresh, all[i])
				}
			}
			began := len(waiting)
			j, err := pair.Of(read).Join(waiting, slices.Clone(fresh), noon.Add(time.Duration(rapid.IntRange(-1, 101).Draw(r, "after"))*time.Second))
			if err != nil {
				r.Fatal(err)
			}
			if len(fresh)+j.Released != len(j.Records)+j.Paired+j.Held || len(j.Waiting) != began+j.Held-j.Matched-j.Released {
				r.Fatalf("%d new records, %d waited: %+v", len(fresh), began, j)
			}
			if !slices.IsSortedFunc(j.Records, func(a, b record.Record) int { return record.Compare(&a, &b) }) {
				r.Fatal("not in order")
			}
			for _, s := range j.Records {
				if _, twice := sent[s.ID]; twice {
					r.Fatalf("record %d was sent twice", s.ID)
				}
				sent[s.ID] = s
			}
			waiting, paired = j.Waiting, paired+j.Paired+j.Matched
		}
		for _, a := range all {
			s, was := sent[a.ID]
			if a.Status != "intent" {
				if !was || s.Lone {
					r.Fatalf("record %d: sent %t, alone %t", a.ID, was, s.Lone)
				}
				continue
			}
			if was != s.Lone {
				r.Fatalf("the intent %d was sent, and not alone", a.ID)
			}
			if !was {
				intents++
			}
		}
		if intents != paired+len(waiting) {
			r.Fatalf("%d intents were not sent, %d have outcomes and %d wait", intents, paired, len(waiting))
		}
	})
}
