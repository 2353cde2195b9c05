package exporter_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// withKin runs a cycle of the stream, which also sees to the journal of its backfill.
func (w *world) withKin(positions, objects bucket.Bucket) error {
	e := w.own(positions, objects)
	e.Kin = w.backfilled(positions)
	return e.RunOnce(w.t.Context())
}

// active are the numbers of the keys that are active after the newest entry.
func (w *world) active(j *checkpoint.Journal) (numbers []byte) {
	w.t.Helper()
	newest, err := j.Load(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	list, err := j.KeysOf(w.t.Context(), newest)
	if err != nil || list == nil {
		w.t.Fatalf("the keys are %v, %v", list, err)
	}
	for n := byte(1); n < 9; n++ {
		if slices.Contains(list.Actives(), seal.PublicOf(checkpointtest.Key(n))) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// A process dies at every single write of a cycle that rotates the keys of both journals. The next process has the same keys. Then the
// first key goes, and everything that was committed stays as it was, each record once.
func TestRotationIsKilledAtEveryStep(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at := int64(1); ; at++ {
			w := halfway(t)
			w.runBackfill()
			w.clock.Add(int64(2 * time.Hour / time.Second))
			w.signing = append(w.signing, checkpointtest.Key(1), checkpointtest.Key(2))
			died := w.dies(at, after, w.withKin)
			for range 2 {
				if err := w.withKin(w.positions, w.objects); err != nil {
					t.Fatal(err)
				}
				for _, j := range []*checkpoint.Journal{w.journal(w.positions), w.backfilled(w.positions)} {
					if want := []byte{1, 2}[2-len(w.signing):]; !slices.Equal(w.active(j), want) {
						t.Errorf("write %d: the keys %v are active, want %v", at, w.active(j), want)
					}
				}
				w.signing = w.signing[len(w.signing)-1:]
			}
			w.runBackfill()
			w.checkBackfill()
			if t.Failed() {
				t.Fatalf("killed at write %d, after its effect: %v", at, after)
			}
			if !died {
				if at < 8 {
					t.Errorf("a rotation makes %d writes", at)
				}
				break
			}
		}
	}
}

// While a backfill holds its journal, the stream goes on with its previous keys, and declares the new one later.
func TestRotationWaitsForTheBackfill(t *testing.T) {
	w := halfway(t)
	w.runBackfill()
	lease, err := w.backfilled(w.positions).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.signing = append(w.signing, checkpointtest.Key(1), checkpointtest.Key(2))
	w.clock.Add(int64(2 * time.Hour / time.Second))
	if err := w.withKin(w.positions, w.objects); err != nil {
		t.Fatal(err)
	}
	if got := w.active(w.journal(w.positions)); !slices.Equal(got, []byte{1}) {
		t.Errorf("the keys %v are active", got)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.withKin(w.positions, w.objects); err != nil {
		t.Fatal(err)
	}
	if got := w.active(w.backfilled(w.positions)); !slices.Equal(got, []byte{1, 2}) {
		t.Errorf("the keys %v are active in the backfill's journal", got)
	}
	w.checkBackfill()
}

// Keys that are lost stop the stream, and what a person does about it loses nothing.
func TestLostKeysStopTheStream(t *testing.T) {
	w := halfway(t)
	before, err := w.journal(w.positions).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.signing = append(w.signing, checkpointtest.Key(3))
	w.clock.Add(int64(2 * time.Hour / time.Second))
	if err := w.withKin(w.positions, w.objects); !errors.Is(err, checkpoint.ErrSignature) {
		t.Fatalf("a cycle with a key that nothing vouches for says %v", err)
	}
	accepted, err := w.journal(w.positions).ChangeKeys(t.Context(), checkpoint.KeyOrder{Reason: "lost", At: before.CommittedAt})
	if err != nil || accepted.Serial != before.Serial+1 || !accepted.Cursor.Equal(before.Cursor) {
		t.Fatalf("entry %d, %v", accepted.Serial, err)
	}
	if err := w.withKin(w.positions, w.objects); err != nil {
		t.Fatal(err)
	}
	w.runBackfill()
	w.checkBackfill()
}
