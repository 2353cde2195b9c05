// Package history makes up the audit log of a BloodHound: believable rows of any number, and a row for each odd value that
// servers are known to serve.
package history

import (
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// Options say which history to make up.
type Options struct {
	// Seed decides everything: the same options give the same rows.
	Seed uint64
	// N is how many rows there are.
	N int
	// Start and End bound created_at. A zero Start is six weeks before End, a zero End is 1 July 2026.
	Start, End time.Time
	// FirstID is the lowest id; 1 when zero.
	FirstID int64
}

// Shares, out of a thousand, of the features that make a history hard to read.
const (
	lateShare   = 4  // rows that commit seconds or minutes after their created_at
	gapShare    = 30 // ids that were taken by a transaction which then failed
	swapShare   = 8  // neighbours whose ids are the wrong way round, from another API process's clock
	zoneShare   = 20 // rows of an API process that runs in +02:00
	roundShare  = 90 // times with fewer than six digits
	perThousand = 1000
)

// Rows makes up the audit log of a company that uses BloodHound: logins in the morning, changes over the day, and quiet
// weekends. A few people do most of it, and some actions fail. A longer history has one attacker who tries passwords.
//
// It has the features of a real server's table: gaps and disorder in the ids, intents without an outcome, rows
// that become visible late. Rows are in the order of created_at.
func Rows(opts Options) []bloodhoundtest.Row {
	if opts.End.IsZero() {
		opts.End = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	}
	if opts.Start.IsZero() {
		opts.Start = opts.End.AddDate(0, 0, -6*7)
	}
	r := rand.New(rand.NewPCG(opts.Seed, 2))
	st := &stage{r: r, cast: newCast(r), rows: make([]bloodhoundtest.Row, 0, opts.N+len(attack)+longest)}
	week := newSchedule(opts.Start, opts.End)
	const enough = 2000 // rows for one attack to stay the exception
	attackAt := opts.N * 7 / 10
	for len(st.rows) < opts.N {
		done := (float64(len(st.rows)) + r.Float64()) / float64(opts.N)
		st.enter(week.at(done))
		if opts.N >= enough && len(st.rows) >= attackAt {
			attackAt = opts.N
			st.spray()
			continue
		}
		st.act()
	}
	rows := st.rows[:opts.N]
	finish(rows, opts, r)
	return rows
}

// finish puts the rows in order, gives them their ids, and makes some of them late.
func finish(rows []bloodhoundtest.Row, opts Options, r *rand.Rand) {
	for i := range rows { // rounding moves times back a little, and an act that begins just before the end may end after it
		switch at := rows[i].CreatedAt; {
		case at.After(opts.End):
			rows[i].CreatedAt = opts.End
		case at.Before(opts.Start):
			rows[i].CreatedAt = opts.Start
		}
	}
	slices.SortStableFunc(rows, func(a, b bloodhoundtest.Row) int { return a.CreatedAt.Compare(b.CreatedAt) })
	id := max(opts.FirstID, 1)
	for i := range rows {
		rows[i].ID = id
		id++
		if r.IntN(perThousand) < gapShare {
			id += 1 + r.Int64N(3)
		}
		if r.IntN(perThousand) < lateShare {
			late := time.Duration(2+r.ExpFloat64()*20) * time.Second
			rows[i].VisibleAt = rows[i].CreatedAt.Add(min(late, 4*time.Minute))
		}
	}
	for i := 1; i < len(rows); i++ {
		if r.IntN(perThousand) < swapShare {
			rows[i].ID, rows[i-1].ID = rows[i-1].ID, rows[i].ID
		}
	}
}

// schedule spreads events over the hours of a span as people work.
type schedule struct {
	start, end time.Time
	until      []float64 // how much work is done by the end of each hour
}

func newSchedule(start, end time.Time) schedule {
	s := schedule{start: start, end: end}
	total := 0.0
	for at := start; at.Before(end); at = at.Add(time.Hour) {
		share := min(1, end.Sub(at).Hours())
		total += share * workload(at.UTC())
		s.until = append(s.until, total)
	}
	return s
}

// workload is the number of events in an hour, as a share of the busiest hour.
func workload(at time.Time) float64 {
	const night, weekend = 0.03, 0.12
	day := [24]float64{6: 0.2, 7: 0.7, 8: 1, 9: 0.95, 10: 0.9, 11: 0.6, 12: 0.75, 13: 0.9, 14: 0.85, 15: 0.7, 16: 0.4, 17: 0.15}
	load := max(night, day[at.Hour()])
	if at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
		load *= weekend
	}
	return load
}

// at is the time by which that fraction of all the work is done.
func (s schedule) at(done float64) time.Time {
	if len(s.until) == 0 {
		return s.start
	}
	work := done * s.until[len(s.until)-1]
	hour := min(sort.SearchFloat64s(s.until, work), len(s.until)-1)
	before := 0.0
	if hour > 0 {
		before = s.until[hour-1]
	}
	begin := s.start.Add(time.Duration(hour) * time.Hour)
	length := min(time.Hour, s.end.Sub(begin))
	part := (work - before) / (s.until[hour] - before)
	return begin.Add(time.Duration(part * float64(length))).Truncate(time.Microsecond)
}
