package webhook_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// A letterbox is a dead letter with a journal that commits every receipt at once.
type letterbox struct {
	store  *checkpointtest.Memory
	newest checkpoint.Checkpoint
}

func (l *letterbox) box() *deadletter.Box {
	return deadletter.NewBox(l.store, "webhook", func(context.Context) (checkpoint.Stored, error) {
		if l.newest.Serial == 0 {
			return checkpoint.Stored{}, checkpoint.ErrNotFound
		}
		return checkpoint.Stored{Checkpoint: l.newest}, nil
	})
}

func newLetterbox() *letterbox { return &letterbox{store: &checkpointtest.Memory{}} }

// commit commits a window, as Journal.Commit does.
func (l *letterbox) commit(receipt checkpoint.Receipt, records int) {
	next := checkpoint.Checkpoint{Serial: l.newest.Serial + 1, Objects: receipt.Objects, Refused: receipt.Letters}
	next.Records.Fresh = records
	l.newest = checkpoint.Account(l.newest, next, false)
}

// objects are the keys of the letters' objects.
func (l *letterbox) objects(t *testing.T) []string {
	t.Helper()
	keys, err := l.store.List(t.Context(), "webhook/"+deadletter.Folder, "")
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A poisoned receiver refuses some records in the way of its format, and takes the others. If through is set, it passes those
// batches on to a real receiver.
type poisoned struct {
	format  string
	through http.RoundTripper

	mu  sync.Mutex
	bad map[string]bool
	got map[string]int
	all bool // it refuses every record
}

var eventIDs = regexp.MustCompile(`"(acme/\d+/\d+)"`)

// ids are the event ids of a body, in their order.
func ids(body []byte) (all []string) {
	for _, m := range eventIDs.FindAllSubmatch(bytes.ReplaceAll(body, []byte(`\"`), []byte(`"`)), -1) {
		if id := string(m[1]); !slices.Contains(all[max(0, len(all)-3):], id) { // an item has its id two or three times
			all = append(all, id)
		}
	}
	return all
}

func (p *poisoned) RoundTrip(r *http.Request) (*http.Response, error) {
	sent, err := readPost(r)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	all := ids(sent.body)
	bad := slices.IndexFunc(all, func(id string) bool { return p.all || p.bad[id] })
	if p.format == format.ElasticBulk {
		return p.bulk(r, sent, all)
	}
	switch {
	case bad >= 0 && p.format == format.SplunkHEC:
		return reply{status: 400, body: fmt.Sprintf(`{"text":"Error","code":12,"invalid-event-number":%d}`, bad)}.response(), nil
	case bad >= 0:
		return answer(http.StatusBadRequest, "cannot read an entry").response(), nil
	}
	for _, id := range all {
		p.got[id]++
	}
	switch {
	case p.through != nil:
		return p.pass(r, sent)
	case p.format == format.SplunkHEC:
		return reply{status: 200, body: `{"text":"Success","code":0}`}.response(), nil
	case p.format == format.Datadog:
		return reply{status: 202, body: `{}`}.response(), nil
	}
	return answer(http.StatusNoContent).response(), nil
}

// pass sends a post on.
func (p *poisoned) pass(r *http.Request, sent post) (*http.Response, error) {
	again := r.Clone(r.Context())
	again.Body, _ = r.GetBody()
	again.ContentLength = int64(len(sent.wire))
	return p.through.RoundTrip(again)
}

func (p *poisoned) bulk(r *http.Request, sent post, all []string) (*http.Response, error) {
	items, refused := make([]string, len(all)), false
	for i, id := range all {
		if items[i] = `{"create":{"status":201}}`; p.all || p.bad[id] {
			items[i], refused = `{"create":`+unmapped+`}`, true
			continue
		}
		p.got[id]++
	}
	if p.through != nil && !refused {
		return p.pass(r, sent)
	}
	body := fmt.Sprintf(`{"errors":%t,"items":[%s]}`, refused, strings.Join(items, ","))
	return reply{status: 200, body: body}.response(), nil
}

func newPoisoned(name string, bad ...record.Record) *poisoned {
	p := &poisoned{format: name, bad: map[string]bool{}, got: map[string]int{}}
	for i := range bad {
		p.bad[ndjson.EventID(tenant, &bad[i])] = true
	}
	return p
}

// formatOptions are the settings that a format needs.
func formatOptions(p *poisoned, l *letterbox) webhook.Options {
	return webhook.Options{
		URL: "https://siem.example/dataCollectionRules/dcr-1/streams/Custom-A?api-version=2023-01-01", Format: p.format, Transport: p,
		Letters: l.box(), AllowStale: true,
	}
}

// windowAt is a window for some of the records.
func windowAt(rs []record.Record) window.Window {
	return window.Window{Start: rs[0].CreatedAt, End: rs[len(rs)-1].CreatedAt.Add(time.Second)}
}
