package archive_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

func TestQuarantine(t *testing.T) {
	store, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := open(t, store, formats["parquet"])
	raw := []byte("{\"id\": 1e400,\n \"created_at\"")
	// The program sha256sum computed sum.
	const sum = "cd78841ce9f3a59657b50b076f718aeb5dc25ca9e7c0479afb639e90040fe136"
	const want = "quarantine/tenant=" + sinktest.Tenant + "/" + sum + ".json"
	for range 2 { // the second time, the object is already there
		key, sha, err := a.Quarantine(t.Context(), raw)
		if err != nil || key != want || sha != sum {
			t.Fatalf("Quarantine = %q, %q, %v; want %q", key, sha, err, want)
		}
	}
	if _, _, err := a.Quarantine(t.Context(), []byte("other")); err != nil {
		t.Fatal(err)
	}
	body, _, _, err := store.Get(t.Context(), want)
	if err != nil || !bytes.Equal(raw, body) {
		t.Errorf("kept %q, %v; want %q", body, err, raw)
	}
	if keys, err := store.List(t.Context(), "", ""); err != nil || len(keys) != 2 {
		t.Errorf("objects %q, %v; want 2", keys, err)
	}
	if found, err := read.Survey(t.Context(), store, sinktest.Tenant, nil); err != nil || found.Objects > 0 || len(found.Unknown) > 0 {
		t.Errorf("a survey finds %+v, %v", found, err)
	}
}

// TestQuarantineFails: a failure is an error, and an object of that name with other bytes stays as it is.
func TestQuarantineFails(t *testing.T) {
	for name, f := range formats {
		store := checkpointtest.NewFaulty(new(checkpointtest.Memory))
		a := open(t, store, f)
		hook, _ := sinktest.Fault{Put: 1}.Hook()
		store.On(hook)
		if key, _, err := a.Quarantine(t.Context(), []byte("raw")); !errors.Is(err, sinktest.ErrFault) {
			t.Errorf("%s: Quarantine = %q, %v; want %v", name, key, err, sinktest.ErrFault)
		}
		key, _, err := a.Quarantine(t.Context(), []byte("raw"))
		if err != nil {
			t.Fatal(err)
		}
		_, version, _, err := store.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Put(t.Context(), key, []byte("spoilt"), version); err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.Quarantine(t.Context(), []byte("raw")); !errors.Is(err, archive.ErrForeign) {
			t.Errorf("%s: over other bytes: %v; want %v", name, err, archive.ErrForeign)
		}
		if body, _, _, err := store.Get(t.Context(), key); err != nil || string(body) != "spoilt" {
			t.Errorf("%s: the object is %q, %v", name, body, err)
		}
	}
}
