package bloodhound

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// Defaults of [Options].
const (
	DefaultPageSize = 5000
	DefaultMaxBody  = 64 << 20
	DefaultMaxPage  = rest.OrdinaryBody
)

// Options configure a [Client]. The fields of the connection are required. Every other field takes its default if it is zero.
type Options struct {
	Connection rest.Options

	PageSize int   // how many records the client asks for at a time; it asks for fewer when the server is too slow
	MaxBody  int64 // the most bytes of one decoded reply, and so of one record
	MaxPage  int64 // the most bytes of a reply with several records
	// With Quarantine the client goes on without a row that it cannot export: see [Hole]. Without it such a row is a
	// [*BadRecordError].
	Quarantine bool
}

// A Client reads the audit log of one BloodHound server. It is safe for concurrent use.
type Client struct {
	options   Options // with the defaults filled in
	conn      *rest.Client
	log       *zap.Logger
	self      identity
	limit     atomic.Int64 // the present page size: lower than the configured one when the server is too slow
	fits      atomic.Int64 // how many records fit into a page, by the size of the last ones
	goodPages atomic.Int64 // pages that went well since the page size was lowered
	fullRow   atomic.Int64 // bytes of a record, by the last full page
	trusted   atomic.Bool  // the server has shown that the ends of its pages agree with the records between them
	suspects  suspects     // instants with rows that the server could not print
	batches   chan *batch  // released batches, for their memory
	slab      atomic.Int64 // how many records the last batch had; the next one probably has as many
}

// New checks the options and reports all their faults at once. It sends no request.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	conn, err := rest.New(o.Connection)
	if err := errors.Join(err, o.check()); err != nil {
		return nil, err
	}
	c := &Client{
		options: o,
		conn:    conn,
		log:     cmp.Or(o.Connection.Log, zap.NewNop()),
		batches: make(chan *batch, batchesKept),
		self:    identity{turn: make(chan struct{}, 1)},
	}
	c.limit.Store(int64(o.PageSize))
	c.fits.Store(int64(o.PageSize))
	return c, nil
}

func (o Options) withDefaults() Options {
	o.PageSize = cmp.Or(o.PageSize, DefaultPageSize)
	o.MaxBody = cmp.Or(o.MaxBody, DefaultMaxBody)
	o.MaxPage = min(cmp.Or(o.MaxPage, DefaultMaxPage), o.MaxBody)
	return o
}

func (o Options) check() error {
	switch {
	case o.PageSize < 1:
		return fmt.Errorf("the page size %d is below 1", o.PageSize)
	case o.MaxBody < 1:
		return fmt.Errorf("the largest body %d is below 1 byte", o.MaxBody)
	default:
		return nil
	}
}

// A Reading has the server's clock and our own clock at the same moment.
type Reading = rest.Reading

// Clock reads the server's clock and our own. The server's is at most a second or two late, and never early: see
// [rest.Client.Clock].
func (c *Client) Clock(ctx context.Context) (Reading, error) { return c.conn.Clock(ctx) }

// Guess estimates the answer of Clock without a request. A reply has to confirm it: see [Batch.Clock].
func (c *Client) Guess() Reading { return c.conn.Guess() }
