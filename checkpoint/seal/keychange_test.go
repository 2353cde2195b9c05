package seal_test

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// TestListsOfKeys: the keys that sign decide the new list.
func TestListsOfKeys(t *testing.T) {
	t.Parallel()
	const replaced = "another key signs in its place"
	one := seal.Keys{Active: states(state(1, 1))}
	both := seal.Keys{Active: states(state(1, 1), state(2, 5))}
	second := seal.Keys{Active: states(state(2, 5)), Retired: states(seal.KeyState{Key: public(1), From: 9, Reason: replaced})}
	for what, tc := range map[string]struct {
		before seal.Keys
		serial uint64
		sign   []int
		want   seal.Keys
		says   string
	}{
		"the first one":          {seal.Keys{}, 1, []int{1}, one, ""},
		"no change":              {one, 5, []int{1}, one, ""},
		"one more":               {one, 5, []int{1, 2}, both, ""},
		"the first one retires":  {both, 9, []int{2}, second, ""},
		"both at once":           {one, 5, []int{2}, seal.Keys{Active: states(state(2, 5)), Retired: states(seal.KeyState{Key: public(1), From: 5, Reason: replaced})}, ""},
		"a run without the new":  {both, 9, []int{1}, both, ""},
		"a retired one returns":  {second, 10, []int{1, 2}, seal.Keys{}, "is retired from entry 9 on"},
		"only a retired one":     {second, 10, []int{1}, seal.Keys{}, "houndtrail keygen"},
		"another order is noted": {both, 9, []int{2, 1}, both, ""},
	} {
		var sign []seal.PublicKey
		for _, n := range tc.sign {
			sign = append(sign, public(n))
		}
		got, err := tc.before.Signing(tc.serial, sign...)
		switch {
		case tc.says != "":
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: %v", what, err)
			}
		case err != nil || !got.Equal(tc.want):
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
}

func TestRevokedKeys(t *testing.T) {
	t.Parallel()
	both := seal.Keys{Active: states(state(1, 1), state(2, 5))}
	stolen, err := both.Revoke(public(1), 4, "stolen")
	want := seal.Keys{Active: states(state(2, 5)), Revoked: states(seal.KeyState{Key: public(1), From: 4, Reason: "stolen"})}
	if err != nil || !stolen.Equal(want) {
		t.Errorf("%+v, %v", stolen, err)
	}
	earlier, err := stolen.Revoke(public(1), 2, "stolen before")
	if err != nil || len(earlier.Revoked) != 1 || earlier.Revoked[0].From != 2 {
		t.Errorf("%+v, %v", earlier, err)
	}
	for what, err := range map[string]error{
		"the only one": failure(stolen.Revoke(public(2), 9, "x")),
		"later":        failure(stolen.Revoke(public(1), 7, "x")),
		"unknown":      failure(stolen.Revoke(public(3), 7, "x")),
		"returns":      failure(stolen.Signing(9, public(1))),
	} {
		if err == nil {
			t.Errorf("%s: it is taken", what)
		}
	}
	lost, err := both.Replaced(9, "lost", public(3))
	if err != nil || len(lost.Active) != 1 || lost.Active[0] != (seal.KeyState{Key: public(3), From: 9, Reason: "lost"}) || len(lost.Revoked) != 2 || lost.Revoked[1].From != 9 {
		t.Errorf("%+v, %v", lost, err)
	}
}

func failure(_ seal.Keys, err error) error { return err }

// TestListsFollow: for any keys that sign, each list follows from the previous one by the rules of a reader. The reader relies on
// every entry.
func TestListsFollow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		ring := seal.NewKeyring(origin, public(1))
		var list seal.Keys
		var journal []*seal.Entry
		sign := []int{1}
		for serial := uint64(1); serial <= 12; serial++ {
			want := rapid.SliceOfNDistinct(rapid.IntRange(1, 6), 1, 3, rapid.ID).Draw(r, "keys")
			var signing []seal.PublicKey
			for _, n := range want {
				signing = append(signing, public(n))
			}
			next, err := list.Signing(serial, signing...)
			vouched := serial == 1 && reflect.DeepEqual(want, sign)
			for _, key := range signing {
				for _, active := range list.Actives() {
					vouched = vouched || key == active
				}
			}
			if err != nil || !vouched { // such a run stops
				journal = signedBy(t, journal, sign...)
				if serial == 1 {
					if list, err = list.Signing(1, public(1)); err != nil {
						r.Fatal(err)
					}
					if err := ring.Change(journal[0], list); err != nil {
						r.Fatal(err)
					}
				}
				continue
			}
			journal, sign = signedBy(t, journal, want...), want
			if !next.Equal(list) {
				if err := ring.Change(journal[serial-1], next); err != nil {
					r.Fatalf("%+v does not follow from %+v: %v", next, list, err)
				}
				list = next
			}
		}
		for _, e := range journal {
			if err := ring.Judge(e); err != nil {
				r.Fatalf("entry %d: %v", e.Serial, err)
			}
		}
	})
}
