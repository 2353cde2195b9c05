package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook/schema"
)

// FuzzAppend checks what receivers rely on, for any text that the API client takes for a record. The event is one line of JSON, and
// none of our keys is there twice. The record in it is the same as the server sent it.
func FuzzAppend(f *testing.F) {
	for _, r := range some(f) {
		if len(r.Raw) < 10_000 {
			f.Add("acme", r.Raw)
		}
	}
	f.Add("a\"\\\u2028", `{"id":1,"created_at":"2026-01-01T00:00:00Z","fields":{"error":"\ud83d","username":"\\"},"status":"failure","":1}`)
	f.Fuzz(func(t *testing.T, tenant, raw string) {
		p, err := page.Parse([]byte(`{"data":{"logs":[`+raw+`]}}`), nil, nil)
		if err != nil || len(p.Records) != 1 || !utf8.ValidString(tenant) {
			return
		}
		r := p.Records[0]
		if twice(r.Raw) != nil { // the client allows a key twice if it does not know the key
			return
		}
		for _, name := range mapped {
			s, err := schema.New(name, schema.Options{Tenant: tenant, TrustedProxies: len(tenant) % 3})
			if err != nil {
				t.Fatal(err)
			}
			line := s.Append(nil, &r)
			if !json.Valid(line) || bytes.IndexByte(line, '\n') != len(line)-1 || bytes.IndexByte(line, '\r') >= 0 {
				t.Fatalf("no line of JSON: %q", line)
			}
			if err := twice(string(line)); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			if utf8.ValidString(raw) && !utf8.Valid(line) {
				t.Fatalf("no UTF-8: %q", line)
			}
			checkNames(t, line, ndjson.EventID(tenant, &r))
			checkNative(t, name, line, r.Raw)
			var whole bytes.Buffer
			if _, err := s.Write(&whole, &r); err != nil || !bytes.Equal(whole.Bytes(), line) {
				t.Fatalf("Write writes %q, %v, Append appends %q", whole.Bytes(), err, line)
			}
		}
	})
}

// twice returns an error if an object of the text has a key twice.
func twice(text string) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var value func() error
	value = func() error {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'):
			seen := map[any]bool{}
			for d.More() {
				key, err := d.Token()
				if err != nil {
					return err
				}
				if seen[key] {
					return fmt.Errorf("the key %q is there twice", key)
				}
				seen[key] = true
				if err := value(); err != nil {
					return err
				}
			}
		case json.Delim('['):
			for d.More() {
				if err := value(); err != nil {
					return err
				}
			}
		default:
			return nil
		}
		_, err = d.Token()
		return err
	}
	if err := value(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// checkNames checks the event id and the addresses, which a receiver indexes.
func checkNames(t *testing.T, line []byte, id string) {
	t.Helper()
	var event struct {
		Event struct {
			ID string `json:"id"`
		} `json:"event"`
		Metadata struct {
			UID string `json:"uid"`
		} `json:"metadata"`
		Source struct {
			IP *string `json:"ip"`
		} `json:"source"`
		Related struct {
			IP []string `json:"ip"`
		} `json:"related"`
		End struct {
			IP    *string  `json:"ip"`
			Chain []string `json:"intermediate_ips"`
		} `json:"src_endpoint"`
	}
	if err := json.Unmarshal(line, &event); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if event.Event.ID+event.Metadata.UID != id {
		t.Fatalf("the event id is %q%q, want %q", event.Event.ID, event.Metadata.UID, id)
	}
	addresses := append(event.Related.IP, event.End.Chain...)
	for _, one := range []*string{event.Source.IP, event.End.IP} {
		if one != nil {
			addresses = append(addresses, *one)
		}
	}
	for _, text := range addresses {
		if a, err := netip.ParseAddr(text); err != nil || a.Zone() != "" {
			t.Fatalf("%q is no address", text)
		}
	}
}

// checkNative checks that the event has the record as the server sent it.
func checkNative(t *testing.T, name string, line []byte, raw string) {
	t.Helper()
	var event struct {
		Bloodhound json.RawMessage `json:"bloodhound"`
		Unmapped   struct {
			Bloodhound json.RawMessage `json:"bloodhound"`
		} `json:"unmapped"`
	}
	if err := json.Unmarshal(line, &event); err != nil {
		t.Fatal(err)
	}
	got := event.Bloodhound
	if name == schema.OCSF {
		got = event.Unmapped.Bloodhound
	}
	var want, have map[string]json.RawMessage
	if json.Unmarshal([]byte(raw), &want) != nil || json.Unmarshal(got, &have) != nil || len(want) != len(have) {
		t.Fatalf("%s: %q came as %q", name, raw, got)
	}
	for key, served := range want {
		value := have[key]
		if key == "fields" && name == schema.ECS && string(served) != "null" {
			var text string
			if err := json.Unmarshal(value, &text); err != nil {
				t.Fatalf("fields are no text: %q", value)
			}
			value = json.RawMessage(text)
		}
		if compact(t, value) != compact(t, served) {
			t.Fatalf("%s: %q is %q, was served as %q", name, key, value, served)
		}
	}
}

func compact(t *testing.T, value []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, bytes.ToValidUTF8(value, []byte("\ufffd"))); err != nil {
		t.Fatalf("%q: %v", value, err)
	}
	return b.String()
}
