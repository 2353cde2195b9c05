package rest

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

func writePEM(tb testing.TB, s *httptest.Server) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

func zip(tb testing.TB, text string) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// A wire is a server below HTTP: it reads a request and writes these bytes, then closes the connection.
func wire(tb testing.TB, reply []byte) *url.URL {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 8<<10))
			_, _ = conn.Write(reply)
			_ = conn.Close()
		}
	}()
	return resttest.MustParse(tb, "http://"+listener.Addr().String())
}

const okHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

// Every way in which a body can differ from the server's own is an error: none is ever a shorter page.
func TestBrokenBodies(t *testing.T) {
	page := `{"data":{"logs":[` + strings.Repeat(`{"id":1},`, 5000) + `{"id":2}]}}`
	packed := zip(t, page)
	damaged := bytes.Clone(packed)
	damaged[len(damaged)-6] ^= 0xff // in the checksum
	chunk := func(b []byte) string { return fmt.Sprintf("%x\r\n%s\r\n", len(b), b) }
	const chunked, gzipped = "Transfer-Encoding: chunked\r\n", "Content-Encoding: gzip\r\n"

	for name, test := range map[string]struct {
		reply string
		kind  Kind
		says  string
	}{
		"nothing at all":       {"", Transport, "cut"},
		"half a header":        {"HTTP/1.1 200 OK\r\nConte", Transport, "connection broken"},
		"not HTTP":             {"SSH-2.0-OpenSSH_9.2\r\n\r\n", Transport, "malformed HTTP"},
		"cut, length known":    {okHead + "Content-Length: 46000\r\n\r\n" + page[:30000], Transport, "cut"},
		"cut, chunked":         {okHead + chunked + "\r\n" + chunk([]byte(page[:30000])), Transport, "cut"},
		"cut before the first": {okHead + "Content-Length: 46000\r\n\r\n", Transport, "cut"},
		"gzip cut":             {okHead + gzipped + chunked + "\r\n" + chunk(packed[:len(packed)/2]), Transport, "cut"},
		"gzip short, chunks whole": {
			okHead + gzipped + chunked + "\r\n" + chunk(packed[:len(packed)-9]) + "0\r\n\r\n", Transport, "cut",
		},
		"gzip without its header": {
			okHead + gzipped + chunked + "\r\n" + chunk(packed[:5]) + "0\r\n\r\n", Transport, "cut",
		},
		"gzip cut in its comment": {okHead + gzipped + "\r\n\x1f\x8b\x080000000", Transport, "cut"},
		"gzip damaged": {
			okHead + gzipped + chunked + "\r\n" + chunk(damaged) + "0\r\n\r\n", Transport, "damaged",
		},
		"not gzip": {okHead + gzipped + "Content-Length: 2\r\n\r\n{}", Transport, "cut"},
		"not gzip, longer": {
			okHead + gzipped + "Content-Length: 20\r\n\r\n{\"data\":{\"logs\":[]}}", Transport, "damaged",
		},
		"last chunk missing": {okHead + gzipped + chunked + "\r\n" + chunk(packed), Transport, "cut"},
		"another encoding": {
			okHead + "Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}", Transport, "encoding other than gzip",
		},
		"empty": {okHead + "Content-Length: 0\r\n\r\n", Timeout, "empty reply"},
		"an empty gzip stream": {
			okHead + gzipped + chunked + "\r\n" + chunk(zip(t, "")) + "0\r\n\r\n", Timeout, "empty reply",
		},
		"empty, called gzip": {okHead + gzipped + "Content-Length: 0\r\n\r\n", Timeout, "empty reply"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Options{URL: wire(t, []byte(test.reply))})
			_, err := get(t.Context(), c, "/api/v2/audit")
			e := asError(t, err)
			if e.Kind != test.kind || !e.Retryable() {
				t.Errorf("%s, retryable %v; want %s: %v", e.Kind, e.Retryable(), test.kind, err)
			}
			resttest.WantText(t, err, "GET /api/v2/audit on 127.0.0.1", test.says)
		})
	}
}

func TestWholeBodies(t *testing.T) {
	page := `{"data":{"logs":[` + strings.Repeat(`{"id":1},`, 50000) + `{"id":2}]}}`
	packed := zip(t, page)
	for name, reply := range map[string]string{
		"length known":       okHead + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(page), page),
		"until the end":      okHead + "\r\n" + page,
		"gzip":               okHead + fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(packed), packed),
		"gzip in capitals":   okHead + fmt.Sprintf("Content-Encoding: GZIP\r\n\r\n%s", packed),
		"no type":            "HTTP/1.1 200 OK\r\n\r\n" + page,
		"a charset":          "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n\r\n" + page,
		"white space before": "HTTP/1.1 200 OK\r\n\r\n \n" + page,
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Options{URL: wire(t, []byte(reply))})
			for range 2 { // the second time through recycled memory
				got, err := get(t.Context(), c, "/api/v2/audit")
				if err != nil || strings.TrimSpace(got) != page {
					t.Fatalf("%d bytes, want %d: %v", len(got), len(page), err)
				}
			}
		})
	}
}

func TestBodiesAreBounded(t *testing.T) {
	const limit = 100 << 10
	exact := `{"a":"` + strings.Repeat("x", limit-8) + `"}`
	over := `{"a":"` + strings.Repeat("x", limit-7) + `"}`
	bomb := zip(t, `{"a":"`+strings.Repeat("x", 50<<20)+`"}`)
	for name, test := range map[string]struct {
		reply string
		ok    bool
	}{
		"exact":           {okHead + "\r\n" + exact, true},
		"exact, gzip":     {okHead + "Content-Encoding: gzip\r\n\r\n" + string(zip(t, exact)), true},
		"one over":        {okHead + "\r\n" + over, false},
		"one over, known": {okHead + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(over), over), false},
		"said to be huge": {okHead + "Content-Length: 9000000000000000000\r\n\r\n{", false},
		"gzip bomb":       {okHead + "Content-Encoding: gzip\r\n\r\n" + string(bomb), false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Options{URL: wire(t, []byte(test.reply))})
			_, err := getUpTo(t.Context(), c, auditPath, limit)
			if test.ok {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if e := asError(t, err); e.Kind != TooLarge || e.Retryable() {
				t.Errorf("%s, retryable %v", e.Kind, e.Retryable())
			}
			resttest.WantText(t, err, "larger than 102400 bytes", "fewer records", "no record is lost")
		})
	}
}

// A length that a server only claims must not cost memory.
func TestClaimedLengthIsNotTrusted(t *testing.T) {
	b, err := new(shelf).readBody(&http.Response{
		ContentLength: 1 << 40, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")),
	}, 1<<50)
	if err != nil || cap(b.Bytes) > 2*OrdinaryBody {
		t.Errorf("%d bytes held for a body of 2: %v", cap(b.Bytes), err)
	}
}
