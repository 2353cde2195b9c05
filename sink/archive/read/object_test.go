package read_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

func TestKey(t *testing.T) {
	for key, want := range map[string]read.Object{
		"audit/tenant=acme.example/dt=2026-03-01/20260301T235900.000001Z.parquet": {
			Tenant: tenant, Day: day1, Start: day1.Add(24*time.Hour - time.Minute + time.Microsecond), Extension: ".parquet",
		},
		"audit/tenant=A-1_b/dt=0001-01-01/20260301T000000.000000Z-12.ndjson.gz": {
			Tenant: "A-1_b", Start: day1, Pass: 12, Extension: ".ndjson.gz",
		},
		"audit/tenant=acme/dt=2026-03-01/20260301T000000.000000Z.part2.parquet": {
			Tenant: "acme", Day: day1, Start: day1, Part: 2, Extension: ".parquet",
		},
		"audit/tenant=acme/dt=2026-03-01/20260301T000000.000000Z-7.part12.ndjson.zst": {
			Tenant: "acme", Day: day1, Start: day1, Pass: 7, Part: 12, Extension: ".ndjson.zst",
		},
		"audit/tenant=acme/dt=2026-03-01/20260301T000000.000000Z.compact1.parquet": {
			Tenant: "acme", Day: day1, Start: day1, Compacted: 1, Extension: ".parquet",
		},
		"audit/tenant=acme/dt=2026-03-01/20260301T000000.000000Z-7.compact12.ndjson.gz": {
			Tenant: "acme", Day: day1, Start: day1, Pass: 7, Compacted: 12, Extension: ".ndjson.gz",
		},
	} {
		got, ok := read.Parse(key)
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("Parse(%s): %t (-want +got):\n%s", key, ok, diff)
		}
		if want.Key() != key {
			t.Errorf("Key() = %s, want %s", want.Key(), key)
		}
	}
}

func TestKeyProperty(t *testing.T) {
	t.Parallel()
	us := rapid.Int64Range(time.Time{}.UnixMicro(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).UnixMicro())
	rapid.Check(t, func(t *rapid.T) {
		want := read.Object{
			Tenant: rapid.StringMatching(`[A-Za-z0-9._-]{1,9}`).Draw(t, "tenant"),
			Day:    time.UnixMicro(us.Draw(t, "day")).UTC().Truncate(24 * time.Hour),
			Start:  time.UnixMicro(us.Draw(t, "start")).UTC(), Pass: rapid.Uint64().Draw(t, "pass"),
			Part:      rapid.SampledFrom([]int{0, 2, 3, 10, 1_000_000}).Draw(t, "part"),
			Compacted: rapid.SampledFrom([]int{0, 0, 1, 10}).Draw(t, "compacted"),
			Extension: rapid.SampledFrom([]string{".parquet", ".ndjson.gz", ".ndjson.zst"}).Draw(t, "extension"),
		}
		if want.Compacted > 0 {
			want.Part = 0
		}
		if want.Of(want.Start, want.Pass) != (want.Compacted == 0) {
			t.Fatalf("%s is of a window: %t", want.Key(), want.Of(want.Start, want.Pass))
		}
		if got, ok := read.Parse(want.Key()); !ok || got != want {
			t.Fatalf("Parse(%s) = %+v, %t; want %+v", want.Key(), got, ok, want)
		}
	})
}

func TestNoKey(t *testing.T) {
	const folder, name = "audit/tenant=acme/dt=2026-03-01/", "20260301T000000.000000Z"
	for _, key := range []string{
		"", folder, folder + name, folder + ".parquet", folder + name + ".parquet.tmp", folder + name + ".csv",
		folder + name + "-.parquet", folder + name + "-0.parquet", folder + name + "-01.parquet", folder + name + "-1-2.parquet",
		folder + name + "--1.parquet", folder + name + "-18446744073709551616.parquet", folder + name + " (1).parquet",
		folder + name + ".part.parquet", folder + name + ".part0.parquet", folder + name + ".part1.parquet", folder + name + ".part01.parquet", folder + name + ".part-1.parquet",
		folder + name + ".compact0.parquet", folder + name + ".compact01.parquet", folder + name + ".compact.parquet", folder + name + ".compact1-2.parquet",
		folder + name + ".part2.part3.parquet", folder + name + ".part2-2.parquet",
		folder + "20260301T000000Z.parquet", folder + "20260301T000000.000Z.parquet", folder + "20260230T000000.000000Z.parquet",
		"audit/tenant=acme/dt=2026-3-1/" + name + ".parquet", "audit/tenant=acme/dt=2026-02-30/" + name + ".parquet",
		"audit/tenant=acme/2026-03-01/" + name + ".parquet", "audit/acme/dt=2026-03-01/" + name + ".parquet",
		"audit/tenant=/dt=2026-03-01/" + name + ".parquet", "audit/tenant=a b/dt=2026-03-01/" + name + ".parquet",
		"other/tenant=acme/dt=2026-03-01/" + name + ".parquet", "x/" + folder + name + ".parquet", folder + "x/" + name + ".parquet",
	} {
		if o, ok := read.Parse(key); ok {
			t.Errorf("Parse(%q) = %+v", key, o)
		}
	}
}

// TestDamaged: each error names the object and says what to do.
func TestDamaged(t *testing.T) {
	for encoding := range encoders {
		store := new(checkpointtest.Memory)
		m := newModel(t, store, encoding)
		m.write(t, window.Window{Start: day1.Add(-time.Hour), End: day1.Add(time.Hour)}, recordAt(7, day1), recordAt(8, day1.Add(time.Second)))
		keys, err := store.List(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		body, _, _, err := store.Get(t.Context(), keys[0])
		if err != nil {
			t.Fatal(err)
		}
		key := keys[0]
		for name, test := range map[string]struct {
			key, advice string
			body        []byte
		}{
			"cut off":         {key, "put back what Houndtrail wrote there", body[:len(body)-9]},
			"empty":           {key, "put back what Houndtrail wrote there", nil},
			"garbage":         {key, "put back what Houndtrail wrote there", []byte("PAR1 garbage PAR1")},
			"another tenant":  {strings.Replace(key, tenant, "other", 1), tenant, body},
			"another day":     {strings.Replace(key, "dt=2026-03-01", "dt=2026-03-02", 1), "id 7 was created at 2026-03-01T00:00:00Z; move it back to " + key, body},
			"the day before":  {strings.Replace(key, "dt=2026-03-01", "dt=2026-02-28", 1), "move it back to " + key, body},
			"another pass":    {strings.Replace(key, "Z.", "Z-x.", 1), "rename it back", body},
			"another window":  {strings.Replace(key, "/20260228T23", "/20260228T22", 1), "move it back to " + key, body},
			"another archive": {strings.Replace(key, "audit/", "audits/", 1), "rename it back", body},
		} {
			if encoding != "parquet" && name == "another window" {
				continue // only the key tells the window
			}
			f, err := read.Open(test.body, test.key)
			if err == nil {
				err = f.Each(func(int64, time.Time) error { return nil })
			}
			if !errors.Is(err, read.ErrDamaged) || !strings.HasPrefix(err.Error(), test.key+": ") || !strings.Contains(err.Error(), test.advice) {
				t.Errorf("%s, %s: %v; want %v of %s, and %q", encoding, name, err, read.ErrDamaged, test.key, test.advice)
			}
			damaged := new(checkpointtest.Memory)
			if _, err := damaged.Put(t.Context(), test.key, test.body, ""); err != nil {
				t.Fatal(err)
			}
			tenant := tenant
			if name == "another tenant" {
				tenant = "other"
			}
			if found, err := read.Survey(t.Context(), damaged, tenant, nil); err == nil && len(found.Unknown) == 0 && name != "another archive" {
				t.Errorf("%s, %s: a survey finds nothing wrong", encoding, name)
			} else if err != nil && !strings.Contains(err.Error(), "read memory://test/"+test.key+": ") {
				t.Errorf("%s, %s: %v; want the object's whole address", encoding, name, err)
			}
		}
	}
}

func TestOpen(t *testing.T) {
	m := newModel(t, new(checkpointtest.Memory), "parquet")
	w := window.Window{Start: day1.Add(-time.Hour), End: day1.Add(time.Hour), Pass: 3}
	m.write(t, w, recordAt(7, day1), recordAt(6, day1.Add(time.Second)))
	keys, err := m.bucket.List(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	body, _, _, err := m.bucket.Get(t.Context(), keys[0])
	if err != nil {
		t.Fatal(err)
	}
	f, err := read.Open(body, keys[0])
	if err != nil {
		t.Fatal(err)
	}
	if f.Window != w || f.Version != "1.2.3" || f.Object.Key() != keys[0] {
		t.Errorf("opened %+v", f)
	}
	var ids []int64
	stop := errors.New("stop")
	err = f.Each(func(id int64, _ time.Time) error {
		if ids = append(ids, id); len(ids) == 2 {
			return stop
		}
		return nil
	})
	if !slices.Equal([]int64{7, 6}, ids) || !errors.Is(err, stop) || errors.Is(err, read.ErrDamaged) {
		t.Errorf("ids %v, %v; want 7 and 6, and %v", ids, err, stop)
	}
}
