package checkpoint

import (
	"crypto/ed25519"
	"math/bits"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// sealOf is the seal of an entry after others that do not exist.
func sealOf(t interface{ Fatal(args ...any) }, serial uint64) *seal.Seal {
	const origin = "acme.example/houndtrail/archive/6f1c6a0e8b1f4c3b"
	tree, err := seal.NewFrontier(serial-1, make([]seal.Hash, bits.OnesCount64(serial-1)))
	if err != nil {
		t.Fatal(err)
	}
	h := seal.Head{Origin: origin, Size: serial - 1, Root: tree.Root(), Cursor: time.Unix(1772359260, 500).UTC(), Records: 7}
	s, err := seal.NewSeal(origin, tree, h.Text())
	if err != nil {
		t.Fatal(err)
	}
	return &s
}

// The keys of an entry and their order are a promise to everyone who reads a journal with other tools.
func TestEntryGolden(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		t.Helper()
		instant, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return instant
	}
	body, err := encode(Checkpoint{
		Format: Format, Kind: KindExport, Tenant: "acme.example", Stream: "archive", Lineage: "6f1c6a0e-8b1f-4c3b-9d57-2b8a4a2b7f10", Serial: 42,
		PreviousSHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		Source:         "https://acme.example", Destination: "s3://bucket/prefix?a=1&b=2", Encoding: "parquet",
		Window: window.Window{Start: at("2026-03-01T12:00:00+02:00"), End: at("2026-03-01T11:00:00.000001Z")},
		Cursor: at("2026-03-01T11:00:00.000001Z"), MaxID: 1204332, Delivered: []byte("roaring"),
		DeliveredSince: at("2026-03-01T12:50:00+02:00"), RescannedAt: at("2026-03-01T01:00:00+01:00"), Epoch: 7,
		ServerCount: &ServerCount{Status: CountBounded, AtLeast: 511, AtMost: 514},
		Records:     Counts{Read: 515, Fresh: 480, Duplicate: 32, Late: 1, Self: 4, Excluded: 3, Filtered: 2}, Filter: "status=neq:intent",
		Objects: []Object{{
			Key: "audit/tenant=acme.example/dt=2026-03-01/20260301T100000.000000Z.parquet", Bytes: 48213,
			SHA256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752", Records: 480,
			MinID: 1203852, MaxID: 1204332,
			MinCreatedAt: at("2026-03-01T10:00:00Z"), MaxCreatedAt: at("2026-03-01T13:59:59.5+03:00"),
		}},
		Oldest: Sighting{CreatedAt: at("2025-12-01T01:00:00+01:00"), SeenAt: at("2026-03-01T11:02:07Z"), Kept: 10540800, Gone: 10627200},
		Writer: Writer{Version: "v1.0.0", Host: "houndtrail-0"}, CommittedAt: at("2026-03-01T11:02:07Z"),
		Seal: sealOf(t, 42),
	})
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "entry.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(body)); diff != "" {
		t.Errorf("an entry (-want +got):\n%s", diff)
	}
}

func TestEncodedEntryDecodes(t *testing.T) {
	t.Parallel()
	instant := rapid.Custom(func(t *rapid.T) time.Time {
		zone := time.FixedZone("", rapid.IntRange(-50000, 50000).Draw(t, "zone"))
		return time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "us")).In(zone)
	})
	rapid.Check(t, func(t *rapid.T) {
		c := Checkpoint{
			Format: Format, Kind: KindExport, Lineage: "x", Stream: rapid.String().Draw(t, "stream"),
			Serial: rapid.Uint64Range(2, 1<<53).Draw(t, "serial"),
			Source: rapid.String().Draw(t, "source"), Cursor: instant.Draw(t, "cursor"), MaxID: rapid.Int64().Draw(t, "max"),
			Window:    window.Window{Start: instant.Draw(t, "start"), End: instant.Draw(t, "end")},
			Delivered: rapid.SliceOf(rapid.Byte()).Draw(t, "delivered"),
			Objects: rapid.SliceOf(rapid.Custom(func(t *rapid.T) Object {
				return Object{
					Key: rapid.String().Draw(t, "key"), MinCreatedAt: instant.Draw(t, "min"), MaxCreatedAt: instant.Draw(t, "max"),
				}
			})).Draw(t, "objects"),
			CommittedAt: instant.Draw(t, "committed"),
		}
		c.Seal = sealOf(t, c.Serial)
		body, err := encode(c)
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := decode(body)
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		again, err := encode(s.Checkpoint)
		if err != nil || string(again) != string(body) {
			t.Fatalf("%s became %s, %v", body, again, err)
		}
		if s.SHA256 != digest(body) || !s.Cursor.Equal(c.Cursor) || s.MaxID != c.MaxID || len(s.Objects) != len(c.Objects) {
			t.Fatalf("%v became %v", c, s)
		}
	})
}

func FuzzDecode(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "entry.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	signed, err := seal.SignEntry(golden, sealOf(f, 42).Origin, 42, seal.NewSigner(sealOf(f, 42).Origin, make(ed25519.PrivateKey, ed25519.PrivateKeySize)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add([]byte(`{"format":1,"kind":"export","lineage":"x","cursor":"0001-01-01T00:00:00+23:59","objects":null}`))
	f.Add([]byte(`{"format":1,"kind":"export","lineage":"x","CURSOR":"9999-12-31T23:59:59.999999999-23:59","stream":"\ud800"}`))
	f.Add([]byte(`{"format":2}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, _, err := decode(body)
		if err != nil {
			return
		}
		if s.Format != Format || s.Cursor.IsZero() || s.SHA256 != digest(body) {
			t.Fatalf("accepted %s", body)
		}
		again, err := marshal(s.Checkpoint)
		if err != nil {
			t.Fatalf("%s does not encode again: %v", body, err)
		}
		reread, _, err := decode(again)
		if err != nil {
			t.Fatalf("%s does not decode again: %v", again, err)
		}
		if twice, err := marshal(reread.Checkpoint); err != nil || string(twice) != string(again) {
			t.Fatalf("%s became %s, %v", again, twice, err)
		}
	})
}
