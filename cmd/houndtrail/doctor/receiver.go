package doctor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// webhookGroup is the group of the receiver's checks.
const webhookGroup = "webhook"

// A receiver is the SIEM behind the webhook.
type receiver struct {
	*patient
	way  way
	sink *webhook.Sink
}

func newReceiver(p *patient) *receiver {
	r := &receiver{patient: p}
	r.way.setting, r.way.authority, r.way.stage = setting.WebhookURL, setting.WebhookCAFile, exporter.StageSink
	address, _ := p.config.Webhook.URL.Value() // the check of the variables reports a file that cannot be read
	if u, err := url.Parse(address); err == nil {
		r.way.server, r.way.url = u.Host, u.Scheme+"://"+u.Host+"/"
	}
	return r
}

func receiverChecks() []check[*receiver] {
	return []check[*receiver]{
		{
			name: "proxy", about: "the proxy on the way, if there is one, lets a HEAD request without credentials through",
			run: (*receiver).proxy,
		},
		{name: "address", about: "the name is known, and the address takes connections", needs: []string{"proxy"}, run: (*receiver).address},
		{
			name: "certificate", about: "TLS: the chain is trusted, fits the name, and does not end soon",
			needs: []string{"address"}, run: (*receiver).certificate,
		},
		{name: "format", about: "the form of the batches, and their limits", run: (*receiver).format},
		{
			name: "receiver", about: "what the receiver says of itself: HEC is healthy, there is a data stream, Loki is ready, Datadog knows " +
				"the key; and OAuth gives a token", needs: []string{"certificate", "format"}, run: (*receiver).ask,
		},
		{name: "pause", about: "the receiver has not asked for a pause", needs: []string{journalStore + "/list"}, run: (*receiver).pause},
		{
			name: "test event", about: "--send-test: the receiver accepts an event that is marked as a test, sent as a batch is",
			needs: []string{"certificate", "format"}, run: (*receiver).test,
		},
	}
}

// proxy asks for the root, and not for the path that takes batches. That path may be a secret, and the receiver may count a HEAD
// there.
func (r *receiver) proxy(ctx context.Context) []Row {
	if rows := r.unless("WEBHOOK_CA_FILE", "WEBHOOK_URL"); rows != nil {
		return rows
	}
	c := r.config.Webhook
	roots, err := c.CA.Pool()
	if err != nil {
		return fail(err, "correct "+setting.WebhookCAFile)
	}
	trust := &http.Transport{ // the same as in the sink
		Proxy: http.ProxyFromEnvironment, OnProxyConnectResponse: transport.ProxyAnswer, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	defer trust.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, min(c.Timeout, 10*time.Second))
	defer cancel()
	ask, err := http.NewRequestWithContext(r.way.watch(ctx), http.MethodHead, r.way.url, nil)
	if err != nil {
		return wrong("the address cannot be asked", "correct "+setting.WebhookURL)
	}
	ask.Header.Set("User-Agent", "houndtrail/"+r.process.Version)
	answer, err := trust.RoundTrip(ask)
	if err == nil {
		_ = answer.Body.Close()
	}
	r.way.err = err
	return r.way.proxyRow()
}

func (r *receiver) address(context.Context) []Row     { return r.way.addressRow() }
func (r *receiver) certificate(context.Context) []Row { return r.way.certificateRow(r.set().Now()) }

func (r *receiver) format(context.Context) []Row {
	if rows := r.unless("WEBHOOK_", "TENANT"); rows != nil {
		return rows
	}
	var err error
	if r.sink, err = r.set().Receiver(); err != nil {
		return fail(err, "correct the settings that begin with "+config.Prefix+"WEBHOOK_")
	}
	c := r.config.Webhook
	f, err := format.New(string(c.Format), format.Options{Tenant: r.config.Tenant})
	if err != nil {
		return fail(stream.Usage(err), "correct "+setting.WebhookFormat)
	}
	records, size := f.Limits().Records, config.ByteSize(f.Limits().Bytes)
	if c.BatchRecords > 0 {
		records = c.BatchRecords
	}
	if c.BatchBytes > 0 {
		size = c.BatchBytes
	}
	login := "no Authorization header"
	if c.Authorization.IsSet() {
		login = "an Authorization header"
	}
	return okf("%s, at most %d records and %s in a batch, compression %s, %s", c.Format, records, size, c.Compression, login)
}

// ask asks a question that changes nothing at the receiver.
func (r *receiver) ask(ctx context.Context) []Row {
	found, asked, err := r.sink.Ask(ctx)
	switch {
	case !asked:
		return nil
	case err != nil:
		return fail(at(exporter.StageSink, err), "check "+setting.WebhookURL+", and with OAuth "+setting.WebhookOAuthClientID+" and "+
			setting.WebhookOAuthClientSecret)
	}
	switch found.Health {
	case format.Well:
		return okf("%s", found.Seen)
	case format.Doubtful:
		return warn(found.Seen, found.Advice)
	case format.Ill:
		return fail(at(exporter.StageSink, errors.New(found.Seen)), found.Advice)
	default:
		return skipped(found.Seen)
	}
}

func (r *receiver) pause(ctx context.Context) []Row {
	until, err := r.set().Postponed(ctx, stream.Webhook)
	switch {
	case err != nil:
		return fail(err, "correct "+setting.CheckpointURL)
	case until.IsZero():
		return okf("it has asked for none")
	}
	return warn("the receiver asks not to be asked before "+show.Second(until), "nothing: the stream goes on by itself afterwards")
}

// refusal names the settings that may be the cause of an answer.
func refusal(err error) string {
	answer, ok := errors.AsType[*webhook.StatusError](err)
	switch {
	case !ok:
		return "check " + setting.WebhookURL + " and " + setting.WebhookTimeout
	case answer.Status == http.StatusUnauthorized, answer.Status == http.StatusForbidden:
		return "correct " + setting.WebhookAuthorization + " or " + setting.WebhookHeaders
	case answer.Status/100 == 4:
		return "correct " + setting.WebhookURL + " or " + setting.WebhookFormat
	case answer.Status/100 == 2:
		return "correct " + setting.WebhookURL + " or " + setting.WebhookExpect
	}
	return "find out at the receiver what is wrong; check " + setting.WebhookURL
}

// A testEvent has a mark, so a query can tell it from a record.
type testEvent struct {
	Type    string    `json:"type"`
	EventID string    `json:"event_id"`
	Tenant  string    `json:"tenant"`
	At      time.Time `json:"created_at"`
	Message string    `json:"message"`
}

func (r *receiver) test(ctx context.Context) []Row {
	if !r.sendTest {
		return skipped("not tried: --send-test posts one event that is marked as a test")
	}
	now := r.set().Now().UTC().Truncate(time.Microsecond)
	id := fmt.Sprintf("%s/houndtrail/test/%d", r.config.Tenant, now.UnixMicro())
	event, err := json.Marshal(testEvent{"houndtrail.test", id, r.config.Tenant, now, "a test of houndtrail doctor: it is no audit record"})
	if err != nil {
		return fail(err, "please report it: this is a defect of Houndtrail")
	}
	if err := r.sink.Tell(ctx, event); err != nil {
		return fail(at(exporter.StageSink, err), refusal(err))
	}
	return okf("accepted: look for the event %s at the receiver", id)
}
