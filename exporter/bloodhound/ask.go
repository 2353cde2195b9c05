package bloodhound

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// breakdowns is how often the server may break down over a page before Houndtrail suspects one of its rows. Until then, the
// server may only have a bad moment.
const breakdowns = 3

// ask asks for a page. If that fails, it asks again, as the retry policy says. After each failed try it calls failed, which may
// change the query. failed may be nil.
//
// A server that cannot print a row breaks down over every page with that row. After so many breakdowns, ask also sends the same
// query for a time without rows. If the server answers that query, the error is a refusal, and ask stops asking for the page.
// If the server does not answer it, the server is down, and ask goes on as the retry policy says.
func (c *Client) ask(ctx context.Context, q *Query, breakdowns int, most int64, failed func(error)) (r rest.Reply, err error) {
	err = c.conn.Retry(ctx, func(ctx context.Context) (err error) {
		r, err = c.conn.Get(ctx, q.target(), c.conn.UpTo(most))
		if err != nil && failed != nil {
			failed(err)
		}
		if e := breakdown(q.foreseen(err)); e != nil && !e.Final {
			if breakdowns--; breakdowns <= 0 && c.answersBeside(ctx, *q) {
				e.Final = true
				err = refusalError{err, e}
			}
		}
		return err
	})
	if e := breakdown(err); e != nil && !e.Final && breakdowns > 0 && c.answersBeside(ctx, *q) { // the policy allowed no more tries
		err = refusalError{err, e}
	}
	return r, err
}

// answersBeside tells whether the server answers the same query for a time without rows.
func (c *Client) answersBeside(ctx context.Context, q Query) bool {
	q = q.beside()
	r, err := c.conn.Get(ctx, q.target(), c.conn.UpTo(c.options.MaxPage))
	if err != nil {
		return false
	}
	r.Body.Release()
	return true
}

// beside is the same query for a time that ends before it begins. Servers answer it with an empty page and the usual count.
func (q Query) beside() Query {
	q.Bounded, q.After, q.Before = true, firstInstant().Add(grain), firstInstant()
	q.Skip, q.Limit = 0, 1
	return q
}

// read asks for a page and parses it. It does not change the size of pages. The records have their own memory: the caller
// releases nothing.
func (c *Client) read(ctx context.Context, q Query, breakdowns int, most int64) (page.Page, error) {
	r, err := c.ask(ctx, &q, breakdowns, most, nil)
	if err != nil {
		return page.Page{}, err
	}
	defer r.Body.Release()
	p, err := page.Parse(append([]byte(nil), r.Body.Bytes...), nil, nil)
	return p, explain(err, q.target())
}

// target is the path with the query, as the client sends it.
func (q Query) target() string {
	if raw := q.Encode(); raw != "" {
		return AuditPath + "?" + raw
	}
	return AuditPath
}

// breakdown returns the error if the server broke down over the request. For every other error, it returns nil.
func breakdown(err error) *rest.Error {
	if e, ok := errors.AsType[*rest.Error](err); ok && e.Kind == rest.Server && e.Status == http.StatusInternalServerError {
		return e
	}
	return nil
}

// A refusalError is a breakdown of a server that is up: the server answers the same request for a time without rows. So it
// cannot print a row of the request.
type refusalError struct {
	error
	said *rest.Error
}

func (e refusalError) Unwrap() error { return e.error }

// refusal returns the server's answer if the server broke down over a row of the request. For every other error, it returns
// nil.
func refusal(err error) *rest.Error {
	e, _ := errors.AsType[refusalError](err)
	return e.said
}

// explain adds the request to a SyntaxError: the scanner that makes this error does not know the request.
func explain(err error, target string) error {
	if syntax := (*page.SyntaxError)(nil); errors.As(err, &syntax) {
		return fmt.Errorf("GET %s answered 200 with a body that cannot be trusted, so no record of it is used: %w; run again, and if it "+
			"says the same, ask the people who run the server or the proxy in front of it", target, err)
	}
	return err
}

// strayError is the error about a record outside the span that Houndtrail asked for.
func strayError(id int64, at, after, before time.Time) error {
	return fmt.Errorf("the server answered with the record with id %d, created at %s, when asked for %s to %s: it ignores before "+
		"and after, so no window of it can be trusted to be complete, and nothing of the answer is used; is there a proxy or "+
		"cache in between that drops the query or answers another one?", id, page.FormatTime(at), page.FormatTime(after), page.FormatTime(before))
}
