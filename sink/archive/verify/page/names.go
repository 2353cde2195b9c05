package page

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// mostNames bounds the names that are kept, because a person whose logins fail can invent any number of them.
const mostNames = 10_000

// mostRows is the largest number of names that a page lists.
const mostRows = 100

// A tally counts records.
type tally struct {
	Records, Success, Failure int64
	First, Last               time.Time
}

func (t *tally) add(o tally) {
	if t.Records == 0 || o.Records > 0 && o.First.Before(t.First) {
		t.First = o.First
	}
	if o.Last.After(t.Last) {
		t.Last = o.Last
	}
	t.Records, t.Success, t.Failure = t.Records+o.Records, t.Success+o.Success, t.Failure+o.Failure
}

// An actor is a person or a program, by the names that BloodHound wrote.
type actor struct{ id, name, email string }

// names counts records by action and by actor, in one pass, so that both sums are the same.
type names struct {
	people  bool
	sum     tally
	actions map[string]*tally
	actors  map[actor]*tally
	more    struct{ actions, actors tally } // records of the names that are not kept
}

func newNames(people bool) *names {
	return &names{people: people, actions: map[string]*tally{}, actors: map[actor]*tally{}}
}

// add counts a record. The strings of the record are valid only during the call.
func (n *names) add(r *record.Record) {
	one := tally{Records: 1, First: r.CreatedAt, Last: r.CreatedAt}
	switch r.Status {
	case "success":
		one.Success = 1
	case "failure":
		one.Failure = 1
	}
	n.sum.add(one)
	count(n.actions, r.Action, strings.Clone, one, &n.more.actions)
	if n.people {
		count(n.actors, actor{r.ActorID, r.ActorName, r.ActorEmail}, clone, one, &n.more.actors)
	}
}

func clone(a actor) actor {
	return actor{strings.Clone(a.id), strings.Clone(a.name), strings.Clone(a.email)}
}

func count[K comparable](of map[K]*tally, name K, clone func(K) K, t tally, more *tally) {
	has := of[name]
	if has == nil {
		if len(of) >= mostNames {
			more.add(t)
			return
		}
		has = &tally{}
		of[clone(name)] = has
	}
	has.add(t)
}

func (n *names) merge(o *names) {
	same := func(s string) string { return s }
	n.sum.add(o.sum)
	for name, t := range o.actions {
		count(n.actions, name, same, *t, &n.more.actions)
	}
	for name, t := range o.actors {
		count(n.actors, name, func(a actor) actor { return a }, *t, &n.more.actors)
	}
	n.more.actions.add(o.more.actions)
	n.more.actors.add(o.more.actors)
}

// A row is a name in a table.
type row struct {
	Name, Small string
	None, More  bool
	tally
	Bar float64 // per cent of the largest row
}

// rows returns the names with the most records, and one row for all others.
func rows[K comparable](of map[K]*tally, more tally, label func(K) row) (all []row) {
	for name, t := range of {
		r := label(name)
		r.tally = *t
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.Records, a.Records), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Small, b.Small))
	})
	for _, r := range all[min(len(all), mostRows):] {
		more.add(r.tally)
	}
	all = all[:min(len(all), mostRows)]
	for i := range all {
		all[i].Bar = max(0.6, float64(1000*all[i].Records/all[0].Records)/10)
	}
	if more.Records > 0 {
		all = append(all, row{More: true, tally: more})
	}
	return all
}

func (n *names) byAction() []row {
	return rows(n.actions, n.more.actions, func(name string) row { return row{Name: plain(name), None: name == ""} })
}

func (n *names) byActor() []row {
	return rows(n.actors, n.more.actors, func(a actor) row {
		var parts []string
		for _, part := range []string{a.name, a.email, a.id} {
			if part != "" && !slices.Contains(parts, part) {
				parts = append(parts, plain(part))
			}
		}
		if len(parts) == 0 {
			return row{None: true}
		}
		return row{Name: parts[0], Small: strings.Join(parts[1:], ", ")}
	})
}
