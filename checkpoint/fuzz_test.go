package checkpoint_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/window"
)

var fuzzed = checkpoint.Identity{Tenant: "acme", Stream: "archive", Source: "https://acme.example", Destination: "s3://bucket/prefix"}

// FuzzLoad puts any bytes in place of the newest entry and of its note. Load then returns that entry, linked to the previous one
// and of this very stream, or an error. It never returns an older position or an empty stream: with either, Houndtrail would
// deliver everything twice.
func FuzzLoad(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "entry.json"))
	if err != nil {
		f.Fatal(err)
	}
	store := &checkpointtest.Memory{}
	j := checkpoint.Open(store, fuzzed)
	var last checkpoint.Stored
	var entries [2][]byte
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, key := range []string{"archive/00000000000000000/00000000000000000001.json", "archive/00000000000000000/00000000000000000002.json"} {
		if last, err = j.Commit(f.Context(), last, checkpoint.Checkpoint{Kind: checkpoint.KindExport, Cursor: at, CommittedAt: at}); err != nil {
			f.Fatal(err)
		}
		if entries[i], _, _, err = store.Get(f.Context(), key); err != nil {
			f.Fatal(err)
		}
	}
	noted, _, _, err := store.Get(f.Context(), "archive/state/latest")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(entries[1], noted)
	f.Add(entries[0], noted)
	f.Add(golden, []byte(`{"serial":1}`))
	f.Add(entries[1], []byte(`{"serial":18446744073709551615,"sha256":"x"}`))
	f.Add(bytes.Replace(entries[1], []byte(`"format":1`), []byte(`"format":2`), 1), []byte(`{"serial":-1}`))
	f.Add(slices.Concat(entries[1], []byte("{}")), []byte{})
	f.Add(entries[1][:len(entries[1])/2], []byte("null"))
	f.Fuzz(func(t *testing.T, entry, note []byte) {
		m := &checkpointtest.Memory{}
		put(t, m, "archive/00000000000000000/00000000000000000001.json", entries[0])
		put(t, m, "archive/00000000000000000/00000000000000000002.json", entry)
		put(t, m, "archive/state/latest", note)
		got, err := checkpoint.Open(m, fuzzed).Load(t.Context())
		switch {
		case bytes.Equal(entry, entries[1]) && bytes.Equal(note, noted) && err != nil:
			t.Fatalf("nothing is wrong with it, and yet: %v", err)
		case errors.Is(err, checkpoint.ErrCorrupt), errors.Is(err, checkpoint.ErrForeign), errors.Is(err, checkpoint.ErrNewer):
		case err != nil:
			t.Fatalf("a damaged journal is %v: %s %s", err, entry, note)
		case got.Serial != 2 || got.Lineage != last.Lineage || got.PreviousSHA256 != last.PreviousSHA256 || got.Cursor.IsZero() ||
			got.Stream != fuzzed.Stream || got.Source != fuzzed.Source || got.Destination != fuzzed.Destination:
			t.Fatalf("accepted %+v", got)
		}
	})
}

// FuzzLease puts any bytes in place of the lease. Acquire refuses them and does not change them, or it takes the lease over with
// its intents. If the lease's state is held, Acquire never takes it before its time. It never loses an intent.
func FuzzLease(f *testing.F) {
	span := `{"start":"2026-03-01T10:00:00Z","end":"2026-03-01T11:00:00.000001Z"}`
	for _, lease := range []string{
		`{"holder":{"host":"pod-1","pid":7,"version":"v1"},"token":"T","acquired_at":"2026-03-01T10:00:00Z","ttl":"1m0s","state":"held",` +
			`"intents":[` + span + `],"revision":3}`,
		`{"token":"T","ttl":"1m0s","state":"released","intents":[` + span + `,` + span + `]}`,
		`{"ttl":"-1h","state":"held","intents":null}`,
		`{"ttl":"1ns","state":"held","locked":true}`,
		`{"ttl":"1m","STATE":"held","state":"released"}`,
		`{"ttl":"1m","state":""}`,
		`{"ttl":"","state":"released"}`,
		`{"ttl":"2562047h47m16.854775807s","state":"held"}`,
		`null`, `[]`, ``, `{"ttl":"0","state":"released","intents":[{"start":"0000-01-01T00:00:00+23:59","end":"9999-12-31T23:59:59-23:59"}]}`,
	} {
		f.Add([]byte(lease), uint16(0))
		f.Add([]byte(lease), uint16(600))
	}
	f.Fuzz(func(t *testing.T, body []byte, seconds uint16) {
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		m := &checkpointtest.Memory{Now: func() time.Time { return now }}
		put(t, m, "archive/state/lease.json", body)
		age := time.Duration(seconds) * time.Second
		now = now.Add(age)

		j := checkpoint.Open(m, fuzzed)
		status, statusErr := j.LeaseStatus(t.Context())
		lease, err := j.Acquire(t.Context())
		if err != nil {
			if corrupt := errors.Is(err, checkpoint.ErrCorrupt); !corrupt && !errors.Is(err, checkpoint.ErrLeaseHeld) || corrupt != (statusErr != nil) {
				t.Fatalf("%q is %v, and its status %v", body, err, statusErr)
			}
			if left, _, _, _ := m.Get(t.Context(), "archive/state/lease.json"); !bytes.Equal(left, body) {
				t.Fatalf("a lease that is not ours became %q", left)
			}
			return
		}
		var said struct {
			State   string          `json:"state"`
			TTL     string          `json:"ttl"`
			Locked  bool            `json:"locked"`
			Intents []window.Window `json:"intents"`
		}
		if json.Unmarshal(body, &said) != nil || statusErr != nil || status.Held && !said.Locked {
			t.Fatalf("took %q, of which the status is %+v, %v", body, status, statusErr)
		}
		if ttl, err := time.ParseDuration(said.TTL); err != nil || said.State == "held" && ttl > age {
			t.Fatalf("took %q after %s", body, age)
		}
		if got := lease.Intents(); !slices.EqualFunc(got, said.Intents, window.Window.Equal) {
			t.Fatalf("the intents of %q became %v", body, got)
		}
		if err := lease.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if status, err := j.LeaseStatus(t.Context()); err != nil || status.Held {
			t.Fatalf("after its release it is %+v, %v", status, err)
		}
	})
}

func put(t *testing.T, m *checkpointtest.Memory, key string, body []byte) {
	t.Helper()
	if _, err := m.Put(t.Context(), key, body, ""); err != nil {
		t.Fatal(err)
	}
}
