package main

import (
	"cmp"
	"fmt"
	"net/url"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// The latencies. A store and a receiver are in the same part of the world. The server is in another one.
const (
	nearby = 50 * time.Millisecond
	abroad = 200 * time.Millisecond
)

// latencies measures the same export in several ways: with latency in front of each peer and without, and with the default
// settings. Each round runs all of them in turn. Without latency, the peer is behind the same proxy.
func (b *bench) latencies(records int) error {
	b.rounds = cmp.Or(b.rounds, 3)
	s, err := b.serve(records, "2s")
	if err != nil {
		return err
	}
	defer s.stop()
	return within(b.dir, func(h *host) error {
		store, logs := servers.VersityGW(h), servers.VictoriaLogs(h)
		servers.CreateBucket(h, store, "bench", false)
		sponge := takesAll()
		defer sponge.Close()
		comparisons := []comparison{
			{"S3 at 50 ms / none", "2.0", func(late bool) (usage, error) { return b.toS3(s, store, either(late, nearby)) }},
			{"API at 200 ms / none", "3.0", func(late bool) (usage, error) { return b.fromAfar(s, either(late, abroad)) }},
			{"webhook at 50 ms / none, VictoriaLogs", "3.0", func(late bool) (usage, error) {
				return b.toReceiver(s, logs.URL+"/insert/jsonline?_time_field=created_at&_msg_field=action&_stream_fields=tenant", either(late, nearby))
			}},
			{"webhook at 50 ms / none, a receiver that keeps nothing", "3.0", func(late bool) (usage, error) {
				return b.toReceiver(s, sponge.URL, either(late, nearby))
			}},
			{"default settings / RATE=1000", "3.0", func(late bool) (usage, error) { return b.toFiles(s, late) }},
		}
		return b.compare(comparisons)
	})
}

// A comparison is one export in two ways. The second way waits for something.
type comparison struct {
	figure, bar string
	run         func(late bool) (usage, error)
}

// compare runs all of them in turn. It prints the second way's time in units of the first way's.
func (b *bench) compare(all []comparison) error {
	prompt, late := make([][]usage, len(all)), make([][]usage, len(all))
	for range b.rounds {
		for i, c := range all {
			p, err := c.run(false)
			if err != nil {
				return fmt.Errorf("%s: %w", c.figure, err)
			}
			l, err := c.run(true)
			if err != nil {
				return fmt.Errorf("%s: %w", c.figure, err)
			}
			prompt[i], late[i] = append(prompt[i], p), append(late[i], l)
		}
	}
	header("bar")
	for i, c := range all {
		figure := fmt.Sprintf("%s (%.2f s / %.2f s, %d requests)",
			c.figure, median(late[i], wall), median(prompt[i], wall), late[i][0].stats.Requests)
		b.row(figure, "%.1f", ratio(late[i], prompt[i], wall), c.bar)
	}
	return nil
}

func either(late bool, latency time.Duration) time.Duration {
	if late {
		return latency
	}
	return 0
}

// through exports with a proxy in front of the peer at an address.
func (b *bench) through(address string, latency time.Duration, export func(proxied string) (usage, error)) (u usage, err error) {
	peer, err := url.Parse(address)
	if err != nil {
		return u, err
	}
	p, err := delayed(peer.Host, latency)
	if err != nil {
		return u, err
	}
	b.exports++
	peer.Host = p.address
	u, err = export(peer.String())
	if closed := p.close(); err == nil {
		err = closed
	}
	return u, err
}

// toS3 exports with the archive and the journal in a bucket.
func (b *bench) toS3(s *server, store servers.S3, latency time.Duration) (usage, error) {
	return b.through(store.Endpoint, latency, func(endpoint string) (usage, error) {
		return b.once(s, append(fast(),
			fmt.Sprintf("HOUNDTRAIL_ARCHIVE_URL=s3://bench/%d", b.exports), "HOUNDTRAIL_S3_ENDPOINT="+endpoint,
			"HOUNDTRAIL_S3_REGION="+store.Region, "HOUNDTRAIL_S3_PATH_STYLE=true", "AWS_EC2_METADATA_DISABLED=true",
			"AWS_ACCESS_KEY_ID="+store.AccessKey, "AWS_SECRET_ACCESS_KEY="+store.SecretKey)...)
	})
}

// fromAfar exports from an API that is far away.
func (b *bench) fromAfar(s *server, latency time.Duration) (usage, error) {
	return b.through(s.url, latency, func(api string) (usage, error) {
		return b.once(s, append(fast(), b.archive(), b.checkpoints(), "HOUNDTRAIL_BLOODHOUND_URL="+api)...)
	})
}

// toReceiver exports to a webhook.
func (b *bench) toReceiver(s *server, address string, latency time.Duration) (usage, error) {
	return b.through(address, latency, func(receiver string) (usage, error) {
		return b.once(s, append(fast(), b.checkpoints(), "HOUNDTRAIL_WEBHOOK_URL="+receiver)...)
	})
}

// toFiles exports with the settings of the other figures, or with only the addresses and the default settings.
func (b *bench) toFiles(s *server, defaults bool) (usage, error) {
	b.exports++
	settings := fast()
	if defaults {
		settings = nil
	}
	return b.once(s, append(settings, b.archive(), b.checkpoints())...)
}
