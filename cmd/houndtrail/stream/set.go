package stream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/anchor"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// windowBytes is the limit for the pages of a window. The budget decides how many windows there are at a time.
const windowBytes = 8 << 20

// leastWait is how long an intent waits for its outcome at least, if the overlap is shorter: it takes a while until an action ends.
const leastWait = time.Minute

// A Process is the part of the program that its streams get.
type Process struct {
	Version     string
	Log         *zap.Logger
	Memory      int64            // bytes that windows may hold together
	Interactive bool             // a person waits: if a server is down, the clients report that at once
	Patience    time.Duration    // from the first try to the last, if a server is down; zero for the clients' defaults
	Idle        time.Duration    // how long a body may pause, without a byte that moves; zero for the clients' defaults
	Now         func() time.Time // our own clock; nil for this machine's
}

// A Set is the streams that a configuration turns on. It opens a store when a caller asks for it, and keeps the store. Only one
// goroutine may use it at a time.
type Set struct {
	config  *config.Config
	process Process

	journals, files, heads bucket.Bucket            // nil until they are opened
	guards                 map[string]*anchor.Guard // the anchors of the journals that were opened to commit
	posts                  *rate.Limiter            // of all requests of this process to the receiver; nil for no limit
	past                   bool                     // the streams are for backfills
}

// NewSet is the set of a configuration. It opens no store.
func NewSet(c *config.Config, p Process) *Set {
	s := &Set{config: c, process: p, guards: map[string]*anchor.Guard{}}
	if most := c.Webhook.Rate; most > 0 {
		s.posts = rate.NewLimiter(rate.Limit(most), 1)
	}
	return s
}

// Names are the names of the streams that are turned on.
func (s *Set) Names() (names []string) {
	if s.config.Archive.URL != "" {
		names = append(names, Archive)
	}
	if s.config.Webhook.URL.IsSet() {
		names = append(names, Webhook)
	}
	return names
}

// Tenant is the name of the source in keys and event ids. It is "" if the configuration has none.
func (s *Set) Tenant() string { return s.config.Tenant }

// Chosen returns the named stream. For "" and "all", it returns every stream that is turned on. If the named stream is not
// turned on, the error is a [UsageError].
func (s *Set) Chosen(name string) ([]string, error) {
	if name == "" || name == "all" {
		return s.Names(), nil
	}
	_, err := s.Destination(name)
	return []string{name}, err
}

// Destination is the name of a stream's destination. The stream's journal and the journal of its backfill belong to that
// destination. It comes only from the configuration, and contains no secret.
func (s *Set) Destination(name string) (string, error) {
	name, _, _ = strings.Cut(name, "-") // of a backfill, or of a replay
	switch on := slices.Contains(s.Names(), name); {
	case on && name == Webhook:
		address, err := s.address()
		if err != nil {
			return "", err
		}
		shown, err := webhook.Name(address)
		if err != nil {
			return "", Usage(err)
		}
		return shown, nil
	case on:
		return string(s.config.Archive.URL), nil
	case name == Webhook:
		return "", Usage(fmt.Errorf("there is no webhook stream: %sWEBHOOK_URL is not set", config.Prefix))
	default:
		return "", Usage(fmt.Errorf("there is no archive stream: %sARCHIVE_URL is not set; for the webhook's journal use --stream webhook",
			config.Prefix))
	}
}

// address is the webhook's. Its error is that of a file which cannot be read, or has another text.
func (s *Set) address() (string, error) {
	address, err := s.config.Webhook.URL.Value()
	if err != nil {
		return "", Usage(fmt.Errorf("read the webhook's address, %sWEBHOOK_URL: %w", config.Prefix, err))
	}
	return address, nil
}

// encoding is the form in which a stream writes records.
func (s *Set) encoding(name string) string {
	if c := s.config.Webhook; strings.HasPrefix(name, Webhook) {
		if c.Schema != config.SchemaNative {
			return string(c.Format) + "+" + string(c.Schema)
		}
		return string(c.Format)
	}
	return string(s.config.Archive.Format)
}

// Exporter returns the exporter of a stream, with the settings of the configuration. It has no store, no sink and no
// destination.
func (s *Set) Exporter(name string, source exporter.Source) *exporter.Exporter {
	c := s.config
	e := &exporter.Exporter{
		Source:  source,
		Windows: window.Planner{Max: c.Window.Max},
		Limits: bloodhound.Limits{
			Records: c.Window.Records, Bytes: windowBytes,
			Share: name == Archive && c.Archive.Format == config.ArchiveParquet,
		},
		Start:   c.Start.At,
		Settle:  c.Settle,
		Overlap: c.Overlap,

		Retention:      exporter.Retention(c.Retention),
		VerifyCount:    c.VerifyCount != config.VerifyOff,
		Rescan:         c.Rescan,
		RescanSchedule: c.RescanSchedule,

		Now: s.process.Now,
		Log: s.log(name),
	}
	if strings.HasPrefix(name, Webhook) { // an archive has every record
		e.ExcludeSelf, e.Filter = c.ExcludeSelf, c.Webhook.Filter.Conditions
		if c.Webhook.Pairs {
			e.Pairs = max(c.Overlap, leastWait)
		}
	}
	return e
}

// exporterOf returns the exporter of a stream that reads from the archive. The archive's journal tells which records came late, and the
// archive was compared with the server's count.
func (s *Set) exporterOf(archive exporter.Follower, name string) *exporter.Exporter {
	e := s.Exporter(name, archive)
	e.Archive = archive
	e.Settle, e.Overlap, e.VerifyCount, e.Retention = 0, 0, false, exporter.Retention{Off: true}
	return e
}

func (s *Set) log(name string) *zap.Logger { return s.process.Log.With(zap.String("stream", name)) }

// Schedule returns the schedule for the cycles of a stream, and the variable that sets it.
func (s *Set) Schedule(name string) (schedule config.Schedule, variable string) {
	if own := s.config.Archive.Schedule; name == Archive && own.Spec != "" {
		return own, config.Prefix + "ARCHIVE_SCHEDULE"
	}
	return s.config.Schedule, config.Prefix + "SCHEDULE"
}

// runs are the settings that the runs of a stream leave beside the journal, for readers that have none of their own.
func (s *Set) runs(name string) checkpoint.Settings {
	c := s.config
	schedule, _ := s.Schedule(strings.TrimSuffix(name, backfillSuffix))
	settings := checkpoint.Settings{
		Tenant: c.Tenant, Version: s.process.Version, Schedule: schedule.Spec, Settle: c.Settle.String(), Retention: c.Retention.String(),
		VerifySchedule: c.VerifySchedule.Spec,
	}
	if strings.HasPrefix(name, Archive) {
		settings.CompactSchedule = c.CompactSchedule.Spec
	}
	return settings
}

// Now is our own clock.
func (s *Set) Now() time.Time { return clockOf(s.process.Now) }

// Source is the BloodHound that all streams read from.
func (s *Set) Source(o rest.Observer) (*bloodhound.Client, error) {
	b, p := s.config.BloodHound, s.process
	auth, err := authenticator(b)
	if err != nil {
		return nil, Usage(err)
	}
	client, err := bloodhound.New(bloodhound.Options{
		Connection: rest.Options{
			URL: b.URL.URL(), Auth: auth, Rate: float64(b.Rate), Wait: b.Wait,
			CAFile: string(b.CA), Insecure: b.Insecure,
			Idle:      p.Idle,
			Retry:     rest.RetryPolicy{Elapsed: p.Patience, Interactive: p.Interactive},
			UserAgent: "houndtrail/" + p.Version, Log: p.Log, Observer: o,
		},
		PageSize:   b.PageSize,
		Quarantine: s.config.OnBadRecord == config.BadRecordQuarantine,
	})
	if err != nil {
		return nil, Usage(err)
	}
	return client, nil
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
