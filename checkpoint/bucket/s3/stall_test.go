package s3_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/buckettest"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// objectHead is the beginning of an answer of S3.
const objectHead = "HTTP/1.1 200 OK\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nLast-Modified: Mon, 02 Jan 2006 15:00:00 GMT\r\n" +
	"ETag: \"e\"\r\nContent-Type: application/xml\r\nContent-Length: 1000\r\n\r\n"

const noSuchKey = "HTTP/1.1 404 Not Found\r\nContent-Length: 37\r\n\r\n<Error><Code>NoSuchKey</Code></Error>"

// TestStalls: a store begins an answer, or takes the beginning of a body, and then stops. The client tries as often as with a
// store that fails, and logs each attempt. Then it returns an error with the object's name.
func TestStalls(t *testing.T) {
	t.Parallel()
	const attempts = 2
	for name, test := range map[string]struct {
		method, answer string
		call           func(b *s3.Bucket) error
		tried          int
		wants          []string
	}{
		"get": {
			"GET", objectHead + "0123456789",
			func(b *s3.Bucket) error { _, _, _, err := b.Get(t.Context(), "a/b"); return err },
			3,
			[]string{"read s3://bucket/a/b: the connection stood still: no byte of a body came for 50ms: check the store"},
		},
		"list": {
			"GET", objectHead + "<ListBucke",
			func(b *s3.Bucket) error { _, err := b.List(t.Context(), "a/", ""); return err },
			attempts,
			[]string{"list s3://bucket/a/: the connection stood still: no byte of a body came for 50ms: check the store"},
		},
		"put": {
			"PUT", "", func(b *s3.Bucket) error { _, err := b.Put(t.Context(), "a/b", make([]byte, 15<<20), ""); return err },
			attempts,
			[]string{"create s3://bucket/a/b: the connection stood still: no byte of a body went for 50ms: check the store"},
		},
		"an error's text": {
			"GET", strings.Replace(objectHead, "200 OK", "403 Forbidden", 1) + "<Error><Cod",
			func(b *s3.Bucket) error { _, _, _, err := b.Get(t.Context(), "a/b"); return err },
			attempts,
			[]string{"read s3://bucket/a/b: ", "no byte of a body came for 50ms"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servers.Stalling(t, map[string]string{"GET": noSuchKey, test.method: test.answer})
			core, logs := observer.New(zap.WarnLevel)
			opts := stubOptions(server.URL)
			opts.Idle, opts.MaxAttempts, opts.MaxBackoff, opts.Log = 50*time.Millisecond, attempts, time.Millisecond, zap.New(core)
			err := test.call(open(t, opts))
			for _, want := range test.wants {
				buckettest.WantError(t, name, err, want)
			}
			if _, ok := errors.AsType[*transport.TimeoutError](err); !ok {
				t.Errorf("error %v; want a time-out", err)
			}
			tried := 0
			for _, line := range server.Asked() {
				if strings.HasPrefix(line, test.method) {
					tried++
				}
			}
			if tried != test.tried {
				t.Errorf("%d requests; want %d: %q", tried, test.tried, server.Asked())
			}
			if logs.Len() < test.tried {
				t.Errorf("%d lines in the log; want %d", logs.Len(), test.tried)
			}
		})
	}
}

// TestDown: if an endpoint is down, the user learns that at once, with its address.
func TestDown(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.WarnLevel)
	opts := stubOptions("http://" + address)
	opts.MaxAttempts, opts.MaxBackoff, opts.Interactive, opts.Log = 1000, time.Hour, true, zap.New(core)
	_, _, _, err = open(t, opts).Get(t.Context(), "a")
	buckettest.WantError(t, "Get", err, fmt.Sprintf("read s3://bucket/a: dial tcp %s: connect: connection refused: the store cannot be reached", address))
	if logs.Len() != 0 {
		t.Errorf("the log has %d lines; want none, as nothing is tried again", logs.Len())
	}
}
