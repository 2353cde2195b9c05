package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/budget"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// windowBytes bounds what the pages of a window take in memory. How many windows there are at a time is up to the budget.
const windowBytes = 8 << 20

// The names of the streams, in journals and metrics.
const (
	archiveStream = "archive"
	webhookStream = "webhook"
)

// A stream is one source and one destination with their own position.
type stream struct {
	name string
	*exporter.Exporter
	watch *watch // what its Store is wrapped in
	pause *pause // that its receiver asks for; nil for a destination that does not
}

// errDefect says that a cycle ended in a panic.
var errDefect = errors.New("a defect of Houndtrail: please report it, with the stack that the log has")

// cycle runs one, and says how it ended. A panic ends it like any other failure: the stream is not well, and the next cycle
// starts from the last commit.
func (s stream) cycle(ctx context.Context) (err error) {
	defer func() {
		if defect := recover(); defect != nil {
			s.Log.Error("panic", zap.Any("value", defect), zap.ByteString("panic_stack", debug.Stack()))
			err = fmt.Errorf("%w: %v", errDefect, defect)
		}
		s.watch.ended(ctx, err)
	}()
	return s.RunOnce(ctx)
}

// streams wires what the configuration asks for.
func (p *program) streams(ctx context.Context, c *config.Config, log *zap.Logger, m *metrics) ([]stream, error) {
	client, err := p.client(c, log, m)
	if err != nil {
		return nil, err
	}
	positions, err := p.positions(ctx, c, log)
	if err != nil {
		return nil, err
	}
	stopping := func() bool { return ctx.Err() != nil }
	build := func(name, destination string, sink exporter.Sink) stream {
		log := log.With(zap.String("stream", name))
		told := m.stream(name)
		w := &watch{
			Journal: journal(c, positions, name, destination, checkpoint.Warn(func(err error) {
				log.Warn("the note of the newest journal entry is not written", zap.Error(err))
			})),
			found: func(newest checkpoint.Stored) { told.found(newest, p.ownClock(), exporter.Retention(c.Retention)) },
			tell:  told.ended,
			log:   log,
		}
		e := p.exporter(c, name, client, w)
		e.Sink, e.Observer, e.Log, e.Stopping = sink, told, log, stopping
		return stream{name: name, Exporter: e, watch: w}
	}
	var all []stream
	if c.Archive.URL != "" {
		s, err := p.archiveOf(ctx, c, log, build)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if c.Webhook.URL.IsSet() {
		roots, err := c.Webhook.CA.Pool()
		if err != nil {
			return nil, err
		}
		log := log.With(zap.String("stream", webhookStream))
		sink, err := newWebhook(c, webhook.Options{
			RetryFor: p.patience, RootCAs: roots, Log: log, Observe: m.attempt, Retried: m.retried,
		})
		if err != nil {
			return nil, err
		}
		s := build(webhookStream, sink.String(), sink)
		if s.Destination, err = p.destinationBeside(ctx, c, positions, webhookStream); err != nil {
			return nil, err
		}
		s.pause = newPause(positions, webhookStream, p.ownClock, log)
		all = append(all, s)
	}
	for i, share := range budget.Split(memory(), len(all)) {
		all[i].Memory = share
	}
	return all, nil
}

// archiveOf is the archive's stream, which build makes.
func (p *program) archiveOf(
	ctx context.Context, c *config.Config, log *zap.Logger, build func(name, destination string, sink exporter.Sink) stream,
) (s stream, err error) {
	files, err := p.files(ctx, c, log)
	if err != nil {
		return s, err
	}
	sink, err := newArchive(c, files)
	if err != nil {
		return s, err
	}
	s = build(archiveStream, string(c.Archive.URL), sink)
	s.Destination = archiveDestination(files, c.Tenant)
	s.Destination.Quarantine = sink.Quarantine
	return s, nil
}

// destinationBeside is what can be asked of a stream's destination, without its sink.
func (p *program) destinationBeside(
	ctx context.Context, c *config.Config, positions bucket.Bucket, name string,
) (d exporter.Destination, err error) {
	if c.Archive.URL == "" {
		return d, nil
	}
	files, err := p.files(ctx, c, p.logger(c.Log))
	if err != nil {
		return d, err
	}
	if name == archiveStream {
		return archiveDestination(files, c.Tenant), nil
	}
	return webhookDestination(files, journal(c, positions, archiveStream, string(c.Archive.URL)), positions, c.Tenant), nil
}

// exporter is what the configuration says of a stream, without the sink that it writes to.
func (p *program) exporter(c *config.Config, name string, source exporter.Source, store exporter.Store) *exporter.Exporter {
	return &exporter.Exporter{
		Source:  source,
		Store:   store,
		Windows: window.Planner{Max: c.Window.Max},
		Limits: bloodhound.Limits{
			Records: c.Window.Records, Bytes: windowBytes,
			Share: name == archiveStream && c.Archive.Format == config.ArchiveParquet,
		},
		Start:   c.Start.At,
		Settle:  c.Settle,
		Overlap: c.Overlap,

		Retention:      exporter.Retention(c.Retention),
		VerifyCount:    c.VerifyCount != config.VerifyOff,
		Rescan:         c.Rescan,
		RescanSchedule: c.RescanSchedule,

		// An archive is a record of everything: only the webhook may do without.
		ExcludeSelf: c.ExcludeSelf && name == webhookStream,
		Now:         p.now,
		Log:         zap.NewNop(),
	}
}

// journal is the position of one stream, or of its backfill.
func journal(
	c *config.Config, b bucket.Bucket, name, destination string, options ...checkpoint.Option,
) *checkpoint.Journal {
	host, _ := os.Hostname() // only told to people: an empty one is no reason to fail
	encoding := string(c.Archive.Format)
	if strings.HasPrefix(name, webhookStream) {
		encoding = string(c.Webhook.Format)
	}
	if strings.HasSuffix(name, backfillSuffix) {
		options = append(options, checkpoint.Scattered())
	}
	return checkpoint.Open(b, checkpoint.Identity{
		Tenant:      c.Tenant,
		Stream:      name,
		Source:      string(c.BloodHound.URL),
		Destination: destination,
		Encoding:    encoding,
		Writer:      checkpoint.Writer{Version: version, Host: host},
	}, options...)
}

func (p *program) client(c *config.Config, log *zap.Logger, m *metrics) (*bloodhound.Client, error) {
	b := c.BloodHound
	auth, err := authenticator(b)
	if err != nil {
		return nil, err
	}
	return bloodhound.New(bloodhound.Options{
		Connection: rest.Options{
			URL: b.URL.URL(), Auth: auth, Rate: float64(b.Rate), Wait: b.Wait,
			CAFile: string(b.CA), Insecure: b.Insecure,
			Idle:      p.idle,
			Retry:     rest.RetryPolicy{Elapsed: p.patience, Interactive: p.interactive},
			UserAgent: "houndtrail/" + version, Log: log, Observer: m,
		},
		PageSize:   b.PageSize,
		Quarantine: c.OnBadRecord == config.BadRecordQuarantine,
	})
}

func authenticator(b config.BloodHound) (rest.Authenticator, error) {
	switch b.Auth() {
	case config.AuthToken:
		id, err := b.TokenID.Value()
		return rest.Token(id, b.TokenKey.Value), err
	case config.AuthJWT:
		return rest.Bearer(b.JWT.Value), nil
	case config.AuthPassword:
		name, err := b.Username.Value()
		return rest.Login(name, b.Password.Value), err
	default:
		return nil, errors.New("no way to log in is configured")
	}
}

func newArchive(c *config.Config, b bucket.Bucket) (*archive.Archive, error) {
	return archive.New(b, c.Tenant, func() archive.Encoder { return encoder(c.Archive.Format, c.Tenant) })
}

func encoder(format config.ArchiveFormat, tenant string) archive.Encoder {
	switch format {
	case config.ArchiveNDJSON:
		return ndjson.NewEncoder(tenant, ndjson.Gzip)
	case config.ArchiveNDJSONZstd:
		return ndjson.NewEncoder(tenant, ndjson.Zstd)
	default:
		return parquet.NewEncoder(parquet.Metadata{Tenant: tenant, Version: version})
	}
}

// newWebhook adds what the configuration says to the options.
func newWebhook(c *config.Config, o webhook.Options) (*webhook.Sink, error) {
	headers, err := c.Webhook.Headers.Value()
	if err != nil {
		return nil, err
	}
	o.URL, o.Format, o.Tenant, o.Version = c.Webhook.URL.Value(), string(c.Webhook.Format), c.Tenant, version
	o.Authorization, o.Headers = c.Webhook.Authorization.Value, headers
	o.BatchRecords, o.BatchBytes = c.Webhook.BatchRecords, int(c.Webhook.BatchBytes)
	o.Compression, o.InFlight, o.Timeout = ndjson.Compression(c.Webhook.Compression), c.Webhook.InFlight, c.Webhook.Timeout
	o.Expect = c.Webhook.Expect.Expectation
	return webhook.New(o)
}
