package stream

import (
	"context"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream/alarm"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/budget"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/serve"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
	"github.com/houndtrail/houndtrail/sink/webhook/taken"
)

// Jobs are the tasks of a daemon besides the cycles of its streams.
type Jobs struct {
	Compaction    *CompactionJob     // nil if COMPACT_SCHEDULE is not set
	Verifications []*VerificationJob // one for each stream, unless VERIFY_SCHEDULE is off
}

// Daemon makes the streams of a daemon, and its jobs. Each job has its own part of the process's memory, like each stream. So
// neither waits for the other's memory.
func (s *Set) Daemon(ctx context.Context, o Telemetry) ([]*Stream, Jobs, error) {
	var jobs Jobs
	total, verifying, compacting := s.process.Memory, int64(0), int64(0)
	if s.config.VerifySchedule.Spec != "" {
		verifying = total / verifyingShare
	}
	if s.config.CompactSchedule.Spec != "" && s.config.Archive.URL != "" {
		compacting = (total - verifying) / int64(len(s.Names())+1)
	}
	s.process.Memory = total - verifying - compacting
	all, err := s.Deliver(ctx, o)
	if err != nil {
		return nil, jobs, err
	}
	jobs.Compaction = s.compacted(all, compacting)
	jobs.Verifications, err = s.verified(ctx, verifying)
	return all, jobs, err
}

// Deliver makes the streams that deliver: the named ones, or all that are turned on. Once ctx has ended, they begin no other
// window. Only Deliver opens the files of the webhook's secrets.
func (s *Set) Deliver(ctx context.Context, o Telemetry, names ...string) ([]*Stream, error) {
	client, err := s.Source(o)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = s.Names()
	}
	var all []*Stream
	memory := s.process.Memory
	if s.follows() {
		memory = max(memory-serve.Memory, memory/2)
	}
	for i, share := range budget.Split(memory, len(names)) {
		e, err := s.exporterFor(ctx, names[i], client)
		if err != nil {
			return nil, err
		}
		stream, err := s.deliver(ctx, names[i], e, o)
		if err != nil {
			return nil, err
		}
		stream.Memory, stream.Stopping = share, func() bool { return ctx.Err() != nil }
		all = append(all, stream)
	}
	for _, s := range all {
		s.told = all
	}
	return all, nil
}

// DeliverPast makes the streams for their backfills. What the receiver refuses goes into the dead letter of the backfill's journal.
func (s *Set) DeliverPast(ctx context.Context, names ...string) ([]*Stream, error) {
	s.past = true
	return s.Deliver(ctx, Unobserved{}, names...)
}

func (s *Set) deliver(ctx context.Context, name string, e *exporter.Exporter, o Telemetry) (*Stream, error) {
	observer := o.Stream(name)
	journal, err := s.commitJournal(ctx, name, observer.Anchored)
	if err != nil {
		return nil, err
	}
	if e.Kin, err = s.CommitJournal(ctx, BackfillOf(name)); err != nil {
		return nil, err
	}
	if e.Destination, err = s.Held(ctx, name); err != nil {
		return nil, err
	}
	stream := New(name, e, journal, observer)
	stream.guard, stream.Anchors = s.guards[name], s.config.Anchor.Schedule
	stream.Schedule, _ = s.Schedule(name)
	if name == Webhook {
		stream.pause = newPause(s.journals, name, s.Now, e.Log)
		letters, err := s.letters(ctx, name)
		if err != nil {
			return nil, err
		}
		receiver, err := s.webhook(o, letters, letters == nil, s.taken(stream.watch, e.Log))
		if err != nil {
			return nil, err
		}
		if e.Sink = receiver; s.config.Webhook.Heads {
			stream.tells = newTeller(s.journals, receiver, s.Now, e.Log)
		}
		if s.config.Webhook.Alarms {
			stream.alarm = alarm.NewTeller(alarm.Options{
				Bucket: s.journals, Stream: name, Tenant: s.config.Tenant, Events: receiver, Now: s.Now, Log: e.Log,
			})
		}
		return stream, nil
	}
	sink, err := s.archive()
	if err != nil {
		return nil, err
	}
	e.Sink, e.Destination.Quarantine = sink, sink.Quarantine
	return stream, nil
}

// archive is the sink of the archive. The archive's store is already open.
func (s *Set) archive() (*archive.Archive, error) {
	sink, err := archive.New(s.files, s.config.Tenant, s.Encoder)
	if err != nil {
		return nil, Usage(err)
	}
	return sink, nil
}

// Encoder is the encoder of the archive's files.
func (s *Set) Encoder() archive.Encoder {
	switch tenant := s.config.Tenant; s.config.Archive.Format {
	case config.ArchiveNDJSON:
		return ndjson.NewEncoder(tenant, ndjson.Gzip)
	case config.ArchiveNDJSONZstd:
		return ndjson.NewEncoder(tenant, ndjson.Zstd)
	default:
		return parquet.NewEncoder(parquet.Metadata{Tenant: tenant, Version: s.process.Version})
	}
}

// Receiver is the sink of the webhook for a command that moves no window. It has no dead letter.
func (s *Set) Receiver() (*webhook.Sink, error) { return s.webhook(Unobserved{}, nil, false, nil) }

// webhook is the sink of the webhook. Load has already checked the configuration: if a file cannot be read here, it has changed
// since then. Without letters, a refused record blocks the stream. If off is true, a setting is the reason.
func (s *Set) webhook(o Telemetry, letters *deadletter.Box, off bool, memory *taken.Memory) (*webhook.Sink, error) {
	c := s.config.Webhook
	address, err := s.address()
	if err != nil {
		return nil, err
	}
	options := webhook.Options{
		URL: address, Format: string(c.Format), Schema: string(c.Schema), TrustedProxies: c.TrustedProxies,
		Tenant: s.config.Tenant, Version: s.process.Version,
		Authorization: c.Authorization.Value, Headers: c.Headers.Value, Identity: c.Identity,
		BatchRecords: c.BatchRecords, BatchBytes: int(c.BatchBytes), RecordBytes: int(c.RecordBytes),
		AllowStale: c.AllowStale, BareLines: !c.LokiMetadata,
		HEC:         format.HECOptions{Index: c.HEC.Index, Sourcetype: c.HEC.Sourcetype, Ack: c.HEC.Ack, Resume: c.HEC.Resume},
		Compression: ndjson.Compression(c.Compression), InFlight: c.InFlight, Limiter: s.posts, Timeout: c.Timeout,
		Expect: c.Expect.Expectation, RetryFor: s.process.Patience, Letters: letters, LettersOff: off, Taken: memory,
		Log: s.log(Webhook), Observe: o.Posted, Retried: o.Reposted,
	}
	if c.OAuth.TokenURL != "" {
		options.OAuth = &authorize.OAuthOptions{
			TokenURL: string(c.OAuth.TokenURL), Client: c.OAuth.ClientID, Secret: c.OAuth.ClientSecret.Value, Scope: c.OAuth.Scope,
		}
	}
	if c.SigningSecrets.IsSet() {
		options.SigningSecrets = c.SigningSecrets.Value
	}
	sink, err := webhook.New(options)
	if err != nil {
		return nil, Usage(err)
	}
	return sink, nil
}
