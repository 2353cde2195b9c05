package verify_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

func keysOf(numbers ...byte) (keys []ed25519.PrivateKey) {
	for _, n := range numbers {
		keys = append(keys, checkpointtest.Key(n))
	}
	return keys
}

func publicOf(numbers ...byte) (keys []seal.PublicKey) {
	for _, n := range numbers {
		keys = append(keys, seal.PublicOf(checkpointtest.Key(n)))
	}
	return keys
}

// as opens the journal like a run with these keys.
func (s *small) as(numbers ...byte) {
	s.journal = checkpoint.Open(s.positions, checkpoint.Identity{
		Tenant: tenant, Stream: archived, Destination: "s3://lake/" + archived, Encoding: "parquet",
	}, checkpoint.Sign(keysOf(numbers...)...))
}

// ordered carries out the order of a person.
func (s *small) ordered(o checkpoint.KeyOrder) {
	s.t.Helper()
	var err error
	s.last, err = s.journal.ChangeKeys(s.t.Context(), o)
	check(s.t, err)
}

// TestKeysThatChangeHands tells each reader of a key about every change of the keys.
func TestKeysThatChangeHands(t *testing.T) {
	t.Parallel()
	lost := func(s *small) {
		s.as(1)
		s.export(hours(0, 1), nil)
		s.as(2)
		s.ordered(checkpoint.KeyOrder{Reason: "the machine burnt", At: begin})
		s.export(hours(1, 2), nil)
	}
	stolen := func(s *small) {
		s.as(1)
		s.export(hours(0, 1), nil)
		s.export(hours(1, 2), nil)
		s.as(1, 2)
		s.declare()
		s.as(2)
		s.ordered(checkpoint.KeyOrder{Revoke: publicOf(1)[0], From: 2, Reason: "stolen", At: begin})
		s.export(hours(2, 3), nil)
	}
	adopted := func(s *small) {
		s.as(1)
		s.export(hours(0, 1), nil)
		s.as(1, 2)
		s.declare()
		s.as(2)
		s.declare()
		s.adopt(hours(1, 1))
	}
	founded := func(s *small) {
		s.as(1)
		s.export(hours(0, 1), nil)
		s.as(2)
		s.last = checkpoint.Stored{Checkpoint: checkpoint.Checkpoint{Serial: 1}, SHA256: s.last.SHA256, Leaf: s.last.Leaf}
		s.adopt(hours(1, 1))
	}
	for _, c := range []struct {
		name         string
		do           func(s *small)
		keys, accept []byte
		want         []string // the findings about keys
	}{
		{"lost, by the lost one", lost, []byte{1}, nil, []string{"error key-unvouched 2"}},
		{"lost, by both", lost, []byte{1, 2}, nil, []string{"error key-unvouched 2"}},
		{"lost, and another accepted", lost, []byte{1}, []byte{3}, []string{"error key-unvouched 2"}},
		{"lost, and accepted", lost, []byte{1}, []byte{2}, []string{"info key-accepted 2"}},
		{"lost, by the new one", lost, []byte{2}, nil, nil},
		{"lost, by no key", lost, nil, nil, []string{"error key-unvouched 2", "info key-unpinned 0"}},
		{"stolen, by the stolen one", stolen, []byte{1}, nil, []string{"warn key-revoked 2"}},
		{"stolen, by the new one", stolen, []byte{2}, nil, []string{"warn key-revoked 2"}},
		{"adopted, by the first one", adopted, []byte{1}, nil, nil},
		{"adopted, by the new one", adopted, []byte{2}, nil, nil},
		{"adopted with a new key, by the first one", founded, []byte{1}, nil, []string{"error key-unvouched 2"}},
		{"adopted with a new key, and accepted", founded, []byte{1}, []byte{2}, []string{"info key-accepted 2"}},
		{"adopted with a new key, by the new one", founded, []byte{2}, nil, nil},
	} {
		for _, depth := range []verify.Depth{verify.Heads, verify.Objects} {
			t.Run(c.name+" "+string(depth), func(t *testing.T) {
				t.Parallel()
				s := newSmall(t, archived)
				c.do(s)
				o := s.place().options(depth)
				o.Keys, o.Accept = publicOf(c.keys...), publicOf(c.accept...)
				_, report := run(t, o)
				got := []string{}
				good := true // a finding about signatures never comes without one about keys
				for _, f := range report.Findings {
					if strings.HasPrefix(string(f.Code), "key-") {
						got = append(got, fmt.Sprintf("%s %s %d", f.Severity, f.Code, f.Entry))
					} else if f.Severity == verify.Error {
						good = false
					}
				}
				bad := slices.ContainsFunc(c.want, func(w string) bool { return strings.HasPrefix(w, "error") })
				if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" || !good && !bad || report.Sound() == bad {
					t.Errorf("(-want +got):\n%s\n%+v", diff, report.Findings)
				}
			})
		}
	}
}

// TestKeysInTheReport: the report has the keys that the journal itself names.
func TestKeysInTheReport(t *testing.T) {
	t.Parallel()
	s := newSmall(t, archived)
	s.as(1)
	s.export(hours(0, 1), nil)
	s.as(1, 2)
	s.declare()
	s.as(2)
	s.declare()
	s.ordered(checkpoint.KeyOrder{Revoke: publicOf(1)[0], From: 3, Reason: "found in a mail", At: begin})
	_, report := run(t, s.place().options(verify.Objects))
	want := []verify.SigningKey{
		{SHA256: publicOf(2)[0].Fingerprint(), State: "active", From: 2},
		{SHA256: publicOf(1)[0].Fingerprint(), State: "revoked", From: 3, Reason: "found in a mail"},
	}
	if diff := cmp.Diff(want, report.Streams[0].SigningKeys); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// keyLists returns the serials of the entries of the archive's journal that have a list of keys.
func (v *vandal) keyLists() (serials []int) {
	for _, e := range entries(v.t, v.all, archived) {
		if e.Keys != nil {
			serials = append(serials, int(e.Serial))
		}
	}
	if len(serials) != 3 {
		v.t.Fatalf("lists of keys are in the entries %v", serials)
	}
	return serials
}

// anew writes the archive's journal anew from an entry on, with the chain, the seals and the hint of a sound one.
func (v *vandal) anew(first int, change func(serial int, body []byte) []byte, keys ...ed25519.PrivateKey) {
	v.t.Helper()
	var previous []byte
	if first > 1 {
		previous = v.all[entryOf(archived, first-1)]
	}
	for serial := first; serial <= v.newest(); serial++ {
		previous = checkpointtest.Reseal(v.t, previous, change(serial, v.all[entryOf(archived, serial)]), keys...)
		v.put(entryOf(archived, serial), previous)
	}
	body := fmt.Appendf(nil, `{"serial":%d,"sha256":"%s","head":%q}`, v.newest(), hexSum(previous), noteOf(v.t, v.newest(), previous, keys...))
	v.put(hintName, body)
}

// keysPart matches all texts of an entry about keys.
var keysPart = regexp.MustCompile(`"keys":\{[^{}]*(\{[^{}]*\}[^{}]*)*\},|"keys_at":\d+,`)

func unchanged(_ int, body []byte) []byte { return body }

// keyForgeries are the forgeries of a person with the keys of the archive's journal. Its third list retires the first key.
func keyForgeries() []tampering {
	stranger := checkpointtest.Key(9)
	spki := func(key ed25519.PrivateKey) []byte {
		text, err := seal.PublicOf(key).MarshalText()
		if err != nil {
			panic(err)
		}
		return text
	}
	bad := func(at func(v *vandal) []string) func(v *vandal) []string {
		return func(v *vandal) []string {
			n := v.newest()
			return append(at(v), fmt.Sprint("error hint-signature ", n), fmt.Sprint("error head-signature ", n-1), fmt.Sprint("error entry-signature ", n))
		}
	}
	unvouched := bad(func(v *vandal) []string { return []string{fmt.Sprint("error key-unvouched ", v.keyLists()[2])} })
	downgraded := func(serial func(v *vandal) int) func(v *vandal) []string {
		return func(v *vandal) []string { return []string{fmt.Sprint("error downgraded ", serial(v))} }
	}
	third := func(v *vandal) int { return v.keyLists()[2] }
	return []tampering{
		{
			name: "a list of keys that no earlier key vouches for",
			do: func(v *vandal) {
				v.anew(third(v), func(serial int, body []byte) []byte {
					if serial == third(v) {
						body = bytes.Replace(body, spki(checkpointtest.Key(1)), spki(stranger), 1)
					}
					return body
				}, stranger)
			},
			dir: unvouched, s3: unvouched, some: true,
		},
		{
			name: "written anew from a list of keys on, without signatures", do: func(v *vandal) { v.anew(third(v), unchanged) },
			dir: downgraded(third), s3: downgraded(third), some: true,
		},
		{
			name: "written anew without signatures and without a word of keys",
			do: func(v *vandal) {
				v.anew(1, func(_ int, body []byte) []byte {
					body = keysPart.ReplaceAll(body, nil)
					return bytes.Replace(body, []byte(`"kind":"keys"`), []byte(`"kind":"barrier"`), 1)
				})
			},
			dir: downgraded((*vandal).newest), s3: downgraded((*vandal).newest), some: true,
		},
		{
			name: "the newest entries written anew with the retired key", do: func(v *vandal) { v.anew(v.newest()-1, unchanged, retiredKey()) },
			dir: bad(func(*vandal) []string { return nil }), s3: bad(func(*vandal) []string { return nil }), some: true,
		},
		{
			name: "a list of keys edited",
			do: func(v *vandal) {
				v.edit(entryOf(archived, third(v)), `"reason":"another`, `"reason":"any other`)
			},
			dir: func(v *vandal) []string {
				return []string{fmt.Sprint("error entry-changed ", third(v)), fmt.Sprint("error key-unvouched ", third(v))}
			},
			s3: func(v *vandal) []string {
				return []string{fmt.Sprint("error entry-shadowed ", third(v)), fmt.Sprint("error key-unvouched ", third(v))}
			}, some: true,
		},
		{
			name: "a list of keys removed", do: func(v *vandal) { v.remove(entryOf(archived, third(v))) },
			dir: func(v *vandal) []string {
				return []string{fmt.Sprint("error entry-missing ", third(v)), fmt.Sprint("error key-unvouched ", third(v))}
			},
			s3: func(v *vandal) []string {
				return []string{fmt.Sprint("error entry-hidden ", third(v)), fmt.Sprint("error key-unvouched ", third(v))}
			}, some: true,
		},
	}
}
