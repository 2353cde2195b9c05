package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
)

const (
	seed  = 7
	weeks = 6
)

// A world has the servers of the demo: a BloodHound with a history, and a receiver that counts.
type world struct {
	server   *bloodhoundtest.Server
	source   *localServer
	receiver *Receiver
	siem     *localServer
	token    string

	began time.Time

	mu     sync.Mutex
	jumped time.Duration
}

func newWorld(ctx context.Context, records int) (w *world, err error) {
	w = &world{ // the demo ends now, so its files are not ahead of any clock
		began: time.Now().UTC().Truncate(time.Second).Add(-halfHour), jumped: -halfHour,
		token: uuid.NewString(), receiver: &Receiver{},
	}
	rows := history.Rows(history.Options{
		Seed: seed, N: records, Start: w.start(), End: w.began.Add(-5 * time.Minute),
	})
	rows = append(rows, corners(w.start().AddDate(0, 0, 14))...)
	w.server = bloodhoundtest.New(bloodhoundtest.Options{
		Now: w.now, Seed: seed, Rows: rows, Tokens: map[string]string{w.token: tokenKey},
	})
	if w.source, err = serveLocally(ctx, w.server); err != nil {
		return nil, err
	}
	if w.siem, err = serveLocally(ctx, w.receiver); err != nil {
		w.source.close()
		return nil, err
	}
	return w, nil
}

// A localServer answers on a free port of the loopback interface.
type localServer struct {
	url   string
	close func()
}

func serveLocally(ctx context.Context, h http.Handler) (*localServer, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start a server of the demo: %w; its servers need two free ports of the loopback interface", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }() // until it is closed
	return &localServer{"http://" + l.Addr().String(), func() { _ = server.Close() }}, nil
}

// corners are rows with every difficulty of the log, on one day of the history: unicode, escapes, empty actors, null and deeply
// nested fields, chains of addresses, 0 to 6 fraction digits, other time zones.
func corners(day time.Time) []bloodhoundtest.Row {
	rows := history.Corner()
	days := int(day.Sub(rows[0].CreatedAt).Hours() / 24)
	for i := range rows {
		rows[i].ID = 0 // the next id of the sequence
		rows[i].CreatedAt = rows[i].CreatedAt.AddDate(0, 0, days)
		rows[i].VisibleAt = time.Time{}
	}
	return rows
}

func (w *world) close() {
	w.source.close()
	w.siem.close()
}

func (w *world) start() time.Time { return w.began.AddDate(0, 0, -7*weeks) }

// now is the clock of the demo's BloodHound.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().UTC().Add(w.jumped)
}

// halfAnHourLater moves the clock on and adds the records of that time. Most are new. A few have a time before the first run's
// end, but became visible only after it, like the records of a slow transaction.
func (w *world) halfAnHourLater() {
	highest := slices.MaxFunc(w.server.Rows(), func(a, b bloodhoundtest.Row) int { return int(a.ID - b.ID) }).ID
	late := history.Rows(history.Options{
		Seed: seed + 1, N: 7, Start: w.began.Add(-9 * time.Minute), End: w.began.Add(-6 * time.Minute), FirstID: highest + 10,
	})
	for i := range late {
		late[i].VisibleAt = w.began.Add(time.Minute)
	}
	fresh := history.Rows(history.Options{
		Seed: seed + 2, N: 120, Start: w.began, End: w.began.Add(halfHour - 5*time.Minute), FirstID: highest + 100,
	})
	w.server.Add(late...)
	w.server.Add(fresh...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jumped = 0
}

// environ is the configuration that a user would write for this world.
func (w *world) environ(dir string) []string {
	return append(connection(w.source.url, w.token, w.siem.url),
		"HOUNDTRAIL_BLOODHOUND_RATE=50",
		"HOUNDTRAIL_TENANT=demo",
		"HOUNDTRAIL_ARCHIVE_URL=file://"+filepath.ToSlash(filepath.Join(dir, "archive")),
		"HOUNDTRAIL_CHECKPOINT_URL=file://"+filepath.ToSlash(filepath.Join(dir, "checkpoints")),
	)
}

// tokenKey is the key of every token of the demo.
const tokenKey = "the-key-of-the-demo"

// connection has the settings for the demo's BloodHound and its receiver.
func connection(source, token, siem string) []string {
	return []string{
		"HOUNDTRAIL_BLOODHOUND_URL=" + source,
		"HOUNDTRAIL_BLOODHOUND_TOKEN_ID=" + token,
		"HOUNDTRAIL_BLOODHOUND_TOKEN_KEY=" + tokenKey,
		"HOUNDTRAIL_WEBHOOK_URL=" + siem + "/ingest",
	}
}

// A Receiver stands in for a SIEM: it unpacks each batch and counts the event ids.
type Receiver struct {
	mu      sync.Mutex
	batches int
	events  map[string]int
}

// Events returns how often each event id has come, and the number of batches.
func (d *Receiver) Events() (times map[string]int, batches int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.events), d.batches
}

// ServeHTTP takes a batch.
func (d *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := d.take(r); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (d *Receiver) take(r *http.Request) error {
	body, err := gzip.NewReader(r.Body)
	if err != nil {
		return fmt.Errorf("the body is not gzip: %w", err)
	}
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 64<<20)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.events == nil {
		d.events = map[string]int{}
	}
	d.batches++
	for lines.Scan() {
		var event struct {
			ID string `json:"event_id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil || event.ID == "" {
			return fmt.Errorf("a line is no event: %w", err)
		}
		d.events[event.ID]++
	}
	return lines.Err()
}
