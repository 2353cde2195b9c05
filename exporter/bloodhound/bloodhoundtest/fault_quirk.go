package bloodhoundtest

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// quirks are what faults ask of the audit handler for one request. The zero value is a server without any.
type quirks struct {
	latency    time.Duration // what the database takes
	lag        time.Duration // how far the database is behind
	direction  direction     // in which it answers, whatever it is asked for
	wholeCount bool          // count does not know the filters
	anyTime    bool          // before and after are not known
	twice      bool          // a page has one id twice
}

type quirksKey struct{}

func quirksOf(ctx context.Context) quirks {
	k, _ := ctx.Value(quirksKey{}).(quirks)
	return k
}

// quirk is a fault that the handler sees to. Several of them add up.
func quirk(change func(*quirks)) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			k := quirksOf(r.Context())
			change(&k)
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), quirksKey{}, k)))
		})
	}
}

// Slow lets the database take its time. A deadline that passes meanwhile is answered as the server's generation does.
func Slow(d time.Duration) Fault { return quirk(func(k *quirks) { k.latency = d }) }

// Lagging is a replica that is behind by d: rows that became visible since are in no page and in no count.
func Lagging(d time.Duration) Fault { return quirk(func(k *quirks) { k.lag = d }) }

// OldestFirst is a server that does not answer newest first, whatever it is asked for.
func OldestFirst() Fault { return quirk(func(k *quirks) { k.direction = oldestFirst }) }

// NewestFirst is a server from before March 2024: it answers newest first, whatever it is asked for, and sort_by only
// says how rows of one instant follow one another.
func NewestFirst() Fault { return quirk(func(k *quirks) { k.direction = newestFirst }) }

// CountIgnoresFilters is a build whose count is that of the whole table. The rows of its pages obey the filters.
func CountIgnoresFilters() Fault { return quirk(func(k *quirks) { k.wholeCount = true }) }

// IgnoresWindow is a build that does not know before and after: it answers with the year up to now.
func IgnoresWindow() Fault { return quirk(func(k *quirks) { k.anyTime = true }) }

// SameIDTwice puts the first row of each page there a second time, right behind itself, with another action. The page
// does not grow beyond its limit: the last row gives way. A page for one row stays as it is.
func SameIDTwice() Fault { return quirk(func(k *quirks) { k.twice = true }) }

func twice(page []*entry, most int) []*entry {
	if len(page) == 0 || most == 1 {
		return page
	}
	twin := *page[0]
	twin.Action += "Changed"
	page = slices.Insert(page, 1, &twin)
	return page[:min(len(page), most)]
}
