// Package api is what the double of BloodHound's API has in common with the faults that are put on it: how errors are worded,
// how answers are compressed, and what a fault may ask of the server itself.
package api

import (
	"context"
	"time"
)

// Quirks are what faults ask of the audit handler for one request. The zero value is a server without any.
type Quirks struct {
	Latency    time.Duration // what the database takes
	Lag        time.Duration // how far the database is behind
	Direction  Direction     // in which it answers, whatever it is asked for
	WholeCount bool          // count does not know the filters
	AnyTime    bool          // before and after are not known
	Twice      bool          // a page has one id twice
}

type quirksKey struct{}

// QuirksOf are those that a request was given.
func QuirksOf(ctx context.Context) Quirks {
	k, _ := ctx.Value(quirksKey{}).(Quirks)
	return k
}

// With gives them to a request.
func (k Quirks) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, quirksKey{}, k)
}

// Direction is how the groups of equal created_at follow one another.
type Direction int

// The directions.
const (
	AsAsked     Direction = iota // no quirk: the request decides
	NewestFirst                  // what a request without sort_by gets
	OldestFirst
	ByKeys // created_at is no better than any other column
)
