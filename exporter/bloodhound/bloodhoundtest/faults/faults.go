// Package faults has the faults between a client and the double of BloodHound's API: refused requests, damaged, empty or late
// answers, and servers with a behaviour of their own.
//
// [bloodhoundtest.Server.Fault] puts a fault on the double. Faults compose: [Next], [Sequence] and [When] say which requests a
// fault is for. The package is apart from the double, since the double ships as the demo's server, and the faults do not.
package faults

import (
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// Next applies a fault to the next n requests that reach it.
func Next(n int, f bloodhoundtest.Fault) bloodhoundtest.Fault {
	return Sequence(slices.Repeat([]bloodhoundtest.Fault{f}, n)...)
}

// Sequence applies its first fault to the first request that reaches it, its second to the second, and so on. A nil
// fault lets its request through, and so does the end of the sequence.
func Sequence(steps ...bloodhoundtest.Fault) bloodhoundtest.Fault {
	var taken atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			step := taken.Add(1) - 1
			if step < int64(len(steps)) && steps[step] != nil {
				steps[step](next).ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// When applies a fault to the requests that match.
func When(match func(*http.Request) bool, f bloodhoundtest.Fault) bloodhoundtest.Fault {
	return func(next http.Handler) http.Handler {
		faulty := f(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if match(r) {
				faulty.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Before runs a hook ahead of a request. The server then answers the request as usual. With a [Sequence] a test changes the log,
// the credentials or the clock between two pages.
func Before(hook func()) bloodhoundtest.Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hook()
			next.ServeHTTP(w, r)
		})
	}
}

// PruneBefore deletes the rows from before an instant ahead of the request: history shrinks while a client reads it.
func PruneBefore(s *bloodhoundtest.Server, cut time.Time) bloodhoundtest.Fault {
	return Before(func() { s.Prune(cut) })
}

// Reveal adds rows ahead of the request, as if they were committed late, between this page and the previous one.
func Reveal(s *bloodhoundtest.Server, rows ...bloodhoundtest.Row) bloodhoundtest.Fault {
	return Before(func() { s.Add(rows...) })
}
