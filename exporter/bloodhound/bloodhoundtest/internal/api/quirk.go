// Package api has the parts that the double of BloodHound's API shares with the faults on it. These are the words of errors,
// the compression of answers, and the quirks that a fault may want from the server itself.
package api

import (
	"context"
	"time"
)

// Quirks are the changes that faults ask of the audit handler for one request. The zero value is a server without any.
type Quirks struct {
	Latency    time.Duration // how long the database takes
	Lag        time.Duration // how far the database is behind
	Direction  Direction     // in which it answers, whatever the query
	WholeCount bool          // the count ignores the filters
	AnyTime    bool          // the server ignores before and after
	Twice      bool          // a page has one id twice
}

type quirksKey struct{}

// QuirksOf returns the quirks of a request.
func QuirksOf(ctx context.Context) Quirks {
	k, _ := ctx.Value(quirksKey{}).(Quirks)
	return k
}

// With returns a context with the quirks, for a request.
func (k Quirks) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, quirksKey{}, k)
}

// Direction is how the groups of equal created_at follow one another.
type Direction int

// The directions.
const (
	AsAsked     Direction = iota // no quirk: the request decides
	NewestFirst                  // the order of a request without sort_by
	OldestFirst
	ByKeys // created_at is a column like any other
)
