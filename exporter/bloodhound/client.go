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

// Options configure a [Client]. Those of the connection are required; a zero field takes its default.
type Options struct {
	Connection rest.Options

	PageSize int   // records asked for at a time; the client lowers it when the server cannot keep up
	MaxBody  int64 // bytes of one decoded reply, and so of one record
	MaxPage  int64 // bytes of a reply that holds several records
	// Quarantine goes on without a row that the client cannot export: see [Hole]. Without it such a row is a [*BadRecordError].
	Quarantine bool
}

// A Client reads the audit log of one BloodHound server. It is safe for concurrent use.
type Client struct {
	options   Options // with the defaults filled in
	conn      *rest.Client
	log       *zap.Logger
	self      identity
	limit     atomic.Int64 // the page size in force: lowered when the server cannot keep up
	fits      atomic.Int64 // how many records fit into a page, by the size of the latest ones
	goodPages atomic.Int64 // since the page size was lowered
	fullRow   atomic.Int64 // how many bytes a record of the latest full page had
	trusted   atomic.Bool  // the server has shown that the ends of its pages agree with the records between them
	suspects  suspects     // instants with rows that the server could not print
	batches   chan *batch  // released ones, for their memory
	slab      atomic.Int64 // how many records the latest batch has; the next one probably has as many
}

// New checks the options and reports all their faults at once. It sends nothing.
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

// A Reading is the server's clock and our own, at one moment.
type Reading = rest.Reading

// Clock reads the server's clock, at most a second or two behind and never ahead of it, beside our own: see [rest.Client.Clock].
func (c *Client) Clock(ctx context.Context) (Reading, error) { return c.conn.Clock(ctx) }

// Guess estimates the answer of Clock without a request. It is not certain before a reply has confirmed it: see [Batch.Clock].
func (c *Client) Guess() Reading { return c.conn.Guess() }
