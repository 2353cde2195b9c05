package faults

import (
	"net/http"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// quirk is a fault that the handler carries out. Several of them add up.
func quirk(change func(*api.Quirks)) bloodhoundtest.Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			k := api.QuirksOf(r.Context())
			change(&k)
			next.ServeHTTP(w, r.WithContext(k.With(r.Context())))
		})
	}
}

// Slow makes the database take that time. If a deadline passes meanwhile, the server answers as its generation does.
func Slow(d time.Duration) bloodhoundtest.Fault { return quirk(func(k *api.Quirks) { k.Latency = d }) }

// Lagging is a replica that is behind by d: rows that became visible since are in no page and in no count.
func Lagging(d time.Duration) bloodhoundtest.Fault { return quirk(func(k *api.Quirks) { k.Lag = d }) }

// OldestFirst is a server that answers oldest first, whatever the query.
func OldestFirst() bloodhoundtest.Fault {
	return quirk(func(k *api.Quirks) { k.Direction = api.OldestFirst })
}

// NewestFirst is a server from before March 2024: it answers newest first, whatever the query, and sort_by only
// orders the rows of one instant.
func NewestFirst() bloodhoundtest.Fault {
	return quirk(func(k *api.Quirks) { k.Direction = api.NewestFirst })
}

// CountIgnoresFilters is a build that counts the whole table. The rows of its pages obey the filters.
func CountIgnoresFilters() bloodhoundtest.Fault {
	return quirk(func(k *api.Quirks) { k.WholeCount = true })
}

// IgnoresWindow is a build that does not know before and after: it answers with the year up to now.
func IgnoresWindow() bloodhoundtest.Fault { return quirk(func(k *api.Quirks) { k.AnyTime = true }) }

// SameIDTwice repeats the first row of each page right behind itself, with another action. If the page would grow beyond its
// limit, the last row falls off. A page for one row stays as it is.
func SameIDTwice() bloodhoundtest.Fault { return quirk(func(k *api.Quirks) { k.Twice = true }) }
