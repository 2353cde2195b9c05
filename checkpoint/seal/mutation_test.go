package seal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// TestEveryMutationOfABundleIsRefused flips a bit in each byte of the entry, of the row and of the head, and changes every other
// part. A changed bundle proves nothing, with one exception: a reader ignores a signature whose key it cannot tell any more. Then
// the other key has to have signed.
func TestEveryMutationOfABundleIsRefused(t *testing.T) {
	t.Parallel()
	body := vector(t, "proof.json")
	const ignored = "a signature of the head"
	tried := 0
	try := func(what string, change func(*seal.Bundle)) {
		b := must[*seal.Bundle](t)(seal.ReadBundle(body))
		change(b)
		if proved, err := b.Check(public(1), public(2)); err == nil && (what != ignored || len(proved.By) != 1) {
			t.Errorf("%s: it is proved by %d keys", what, len(proved.By))
		}
		tried++
	}
	whole := must[*seal.Bundle](t)(seal.ReadBundle(body))
	for bit := 0; bit < 8*len(whole.Entry); bit += 9 {
		try(fmt.Sprintf("bit %d of the entry", bit), func(b *seal.Bundle) { b.Entry[bit/8] ^= 1 << (bit % 8) })
	}
	for bit := 0; bit < 8*len(whole.Record.Row); bit += 3 {
		try(fmt.Sprintf("bit %d of the row", bit), func(b *seal.Bundle) { b.Record.Row[bit/8] ^= 1 << (bit % 8) })
	}
	for bit := 0; bit < 8*len(whole.Head); bit += 7 {
		what := fmt.Sprintf("bit %d of the head", bit)
		if bit/8 >= strings.Index(whole.Head, "—") {
			what = ignored
		}
		try(what, func(b *seal.Bundle) {
			changed := []byte(b.Head)
			changed[bit/8] ^= 1 << (bit % 8)
			b.Head = string(changed)
		})
	}
	for _, path := range []func(*seal.Bundle) *seal.Inclusion{
		func(b *seal.Bundle) *seal.Inclusion { return &b.Inclusion },
		func(b *seal.Bundle) *seal.Inclusion { return &b.Record.Inclusion },
	} {
		for _, n := range []uint64{0, 1, 3, 4, 5, 6, 8, 1 << 53, 1 << 62, 1<<63 - 1, 1<<64 - 1} {
			if n != path(whole).Size {
				try("size", func(b *seal.Bundle) { path(b).Size = n })
			}
			try("index", func(b *seal.Bundle) { path(b).Index = n })
		}
		for i := range path(whole).Hashes {
			try("hash", func(b *seal.Bundle) { path(b).Hashes[i][i] ^= 1 })
			try("hash left out", func(b *seal.Bundle) { path(b).Hashes = slices.Delete(path(b).Hashes, i, i+1) })
			try("hash twice", func(b *seal.Bundle) { path(b).Hashes = slices.Insert(path(b).Hashes, i, path(b).Hashes[i]) })
		}
		try("no hash", func(b *seal.Bundle) { path(b).Hashes = nil })
	}
	try("id", func(b *seal.Bundle) { b.Record.ID++ })
	try("serial", func(b *seal.Bundle) { b.Serial++ })
	try("origin", func(b *seal.Bundle) { b.Origin += "0" })
	try("object", func(b *seal.Bundle) { b.Object.Key += "x" })
	try("SHA-256", func(b *seal.Bundle) { b.Object.SHA256 = strings.Repeat("0", 64) })
	try("no SHA-256", func(b *seal.Bundle) { b.Object.SHA256 = "" })
	try("another head", func(b *seal.Bundle) { b.Head = head(t, 6) })
	try("another entry", func(b *seal.Bundle) { b.Entry = line(t, 4) })
	try("bare head", func(b *seal.Bundle) { b.Head, _, _ = strings.Cut(b.Head, "\n—"); b.Head = b.Head[:len(b.Head)-1] })
	try("CRLF", func(b *seal.Bundle) { b.Head = strings.ReplaceAll(b.Head, "\n", "\r\n") })
	try("signature twice", func(b *seal.Bundle) { b.Head += b.Head[strings.Index(b.Head, "—"):] })
	if tried < 1500 {
		t.Errorf("only %d mutations were tried", tried)
	}
}

// TestUnknownSignaturesAreIgnored: if a reader has one of two keys, it does not open the other key's signature. Every reader of
// notes does so. The bytes still have only one spelling.
func TestUnknownSignaturesAreIgnored(t *testing.T) {
	t.Parallel()
	text := head(t, newest)
	begin := strings.LastIndex(text, "—")
	accepted := 0
	for bit := 0; bit < 8*len(text); bit += 3 {
		changed := []byte(text)
		changed[bit/8] ^= 1 << (bit % 8)
		if _, _, err := seal.OpenHead(string(changed), origin, public(1)); err == nil {
			accepted++
			if bit/8 < begin {
				t.Errorf("bit %d of what key 1 signed is changed, and it is accepted", bit)
			}
		}
	}
	if accepted == 0 {
		t.Error("no changed signature of another key is ignored")
	}
}

// TestEveryMutationOfASignedEntryIsRefused flips bits of each byte of an entry that both keys signed.
func TestEveryMutationOfASignedEntryIsRefused(t *testing.T) {
	t.Parallel()
	whole := line(t, newest)
	for bit := 0; bit < 8*len(whole); bit += 5 {
		changed := bytes.Clone(whole)
		changed[bit/8] ^= 1 << (bit % 8)
		e, err := seal.ReadEntry(changed)
		if err == nil {
			_, err = e.SignedBy(public(1), public(2))
		}
		// If a changed byte is in a key's id or name, the reader sees an unknown key. Then the other signature still counts, and
		// the leaf differs.
		if err == nil && (e.Leaf == entry(t, newest).Leaf || bit/8 < bytes.LastIndex(whole, []byte(`,"signatures":`))) {
			t.Errorf("bit %d is changed, and the entry is accepted", bit)
		}
	}
}

// TestEntriesAreReadStrictly: an entry is refused if two readers could read it differently, or if it contradicts itself.
func TestEntriesAreReadStrictly(t *testing.T) {
	t.Parallel()
	whole := string(line(t, newest))
	for what, change := range map[string][2]string{
		"key twice":               {`"serial":7,`, `"serial":7,"serial":7,`},
		"key in another case":     {`"serial":7,`, `"serial":7,"Serial":8,`},
		"known key, other case":   {`"serial":7,`, `"SERIAL":7,`},
		"nested key twice":        {`"size":6,`, `"size":6,"size":6,`},
		"another serial":          {`"serial":7,`, `"serial":8,`},
		"no serial":               {`"serial":7,`, ``},
		"another size":            {`"size":6,`, `"size":7,`},
		"no seal":                 {`"seal":`, `"sael":`},
		"another origin":          {`"seal":{"origin":"acme`, `"seal":{"origin":"acne`},
		"a hash less":             {`"frontier":["US+sDrB7cdaGI/AWc23MpafNhFKa9ugChPVzKvRdYNo=",`, `"frontier":[`},
		"another hash":            {`"frontier":["US+`, `"frontier":["UT+`},
		"a hash in other bits":    {`ugChPVzKvRdYNo="`, `ugChPVzKvRdYNp="`},
		"two lines":               {`"serial":7,`, "\"serial\":7,\n"},
		"no newline":              {"}\n", "}"},
		"CRLF":                    {"}\n", "}\r\n"},
		"a space":                 {`"signatures":[`, `"signatures": [`},
		"a space after the key":   {`"signatures":[`, `"signatures" :[`},
		"a hash with a newline":   {`"frontier":["US+`, `"frontier":["US\n+`},
		"a space in the list":     {`","—`, `", "—`},
		"no signature":            {whole[strings.LastIndex(whole, `[`):], "[]}\n"},
		"null":                    {whole[strings.LastIndex(whole, `[`):], "null}\n"},
		"key after them":          {"]}\n", "],\"x\":1}\n"},
		"signatures in an object": {`,"signatures":[`, `,"x":{"signatures":[`},
		"line of another kind":    {`["— acme`, `["- acme`},
		"no UTF-8":                {`"serial":7,`, "\"serial\":7,\"x\":\"\xff\","},
		"trailing text":           {"]}\n", "]}{}\n"},
		"list":                    {`{"format"`, `[{"format"`},
	} {
		changed := strings.Replace(whole, change[0], change[1], 1)
		if what == "a hash in other bits" && changed == whole || changed == whole {
			t.Errorf("%s: nothing was changed", what)
		}
		if e, err := seal.ReadEntry([]byte(changed)); err == nil {
			t.Errorf("%s: it is read as %+v", what, e)
		}
	}
	if _, err := seal.ReadEntry(nil); err == nil {
		t.Error("nothing is read as an entry")
	}
	first := strings.Replace(string(line(t, 1)), `"frontier":[]`, `"frontier":[],"head":"x"`, 1)
	if _, err := seal.ReadEntry([]byte(first)); err == nil {
		t.Error("the first entry may have a head")
	}
}

// TestBundlesAreReadStrictly is about the proof's own JSON.
func TestBundlesAreReadStrictly(t *testing.T) {
	t.Parallel()
	whole := string(vector(t, "proof.json"))
	for what, change := range map[string][2]string{
		"key twice":        {`"serial": 3`, `"serial": 3, "serial": 3`},
		"other case":       {`"serial": 3`, `"Serial": 3`},
		"nested key twice": {`"id": 1203860`, `"id": 1, "id": 1203860`},
		"another format":   {`"houndtrail_proof": 1`, `"houndtrail_proof": 2`},
		"no format":        {`"houndtrail_proof": 1`, `"x": 1`},
		"a hash cut off":   {`ZjOJOL2n9fYi8/ifPUw47Sh2z8bzelAaelqy+LXBW5o="`, `ZjOJOL2n9fYi8/ifPUw47Sh2z8bzelAaelqy"`},
		"a negative size":  {`"size": 7`, `"size": -7`},
		"a fraction":       {`"size": 7`, `"size": 7.5`},
	} {
		changed := strings.Replace(whole, change[0], change[1], 1)
		if changed == whole {
			t.Errorf("%s: nothing was changed", what)
		}
		if b, err := seal.ReadBundle([]byte(changed)); err == nil {
			t.Errorf("%s: it is read as %+v", what, b)
		}
	}
}

// TestWhatAKeyHolderCannotMix: the key's holder signed these parts, and each of them is good. If they are of different journals or
// places, they prove nothing.
func TestWhatAKeyHolderCannotMix(t *testing.T) {
	t.Parallel()
	whole := must[*seal.Bundle](t)(seal.ReadBundle(vector(t, "proof.json")))
	elsewhere := strings.Replace(origin, "archive", "webhook", 1)
	other := seal.Head{Origin: elsewhere, Size: newest, Root: entry(t, newest).After().Root()}
	b := *whole
	b.Head = must[string](t)(other.Sign(seal.NewSigner(elsewhere, private(1))))
	if proved, err := b.Check(public(1)); err == nil {
		t.Errorf("with the head of another journal it proves %+v", proved)
	}
	var tree seal.Frontier
	for _, serial := range []uint64{1, 3} {
		tree.Append(entry(t, serial).Leaf)
	}
	cut := seal.Head{Origin: origin, Size: 2, Root: tree.Root()} // this tree does not have entry 2
	b.Head = must[string](t)(cut.Sign(signers(1)...))
	b.Inclusion = seal.Inclusion{Index: 1, Size: 2, Hashes: []seal.Hash{entry(t, 1).Leaf}}
	for _, serial := range []uint64{2, 3} {
		b.Serial = serial
		if proved, err := b.Check(public(1)); err == nil {
			t.Errorf("as entry %d, entry 3 in the place of entry 2 proves %+v", serial, proved)
		}
	}
}

// TestABundleNamesItsObjectOnce: if an entry names an object twice, it proves nothing about it, even if it is signed.
func TestABundleNamesItsObjectOnce(t *testing.T) {
	t.Parallel()
	whole := must[*seal.Bundle](t)(seal.ReadBundle(vector(t, "proof.json")))
	r := records()[2]
	for what, change := range map[string]func(string) string{
		"twice":           func(o string) string { return o + "," + o },
		"not at all":      func(o string) string { return strings.Replace(o, "parquet", "parket", 1) },
		"without a root":  func(o string) string { return strings.Replace(o, `"records_root"`, `"record_root"`, 1) },
		"without any":     func(string) string { return "" },
		"as another size": func(o string) string { return strings.Replace(o, `"records":3`, `"records":4`, 1) },
	} {
		text := string(line(t, 3))
		at := strings.LastIndex(text, `,"signatures":`)
		begin, end := strings.Index(text, `[{`)+1, strings.Index(text, `}]`)+1
		body := text[:begin] + change(text[begin:end]) + text[end:at] + "}\n"
		signed := must[[]byte](t)(seal.SignEntry([]byte(body), origin, 3, signers(3)...))
		tree := entry(t, 2).After()
		tree.Append(seal.Leaf(signed))
		h := seal.Head{Origin: origin, Size: 3, Root: tree.Root()}
		note := must[string](t)(h.Sign(signers(3)...))
		place := seal.Inclusion{Index: 2, Size: 3, Hashes: []seal.Hash{entry(t, 2).After().Root()}}
		if b, err := seal.NewBundle(object, seal.RowProof{Row: rowOf(&r), Inclusion: whole.Record.Inclusion}, signed, place, note); err == nil {
			t.Errorf("%s: %+v", what, b)
		}
		b := *whole
		b.Entry, b.Inclusion, b.Head = signed, place, note
		if proved, err := b.Check(public(1)); err == nil {
			t.Errorf("%s: it proves %+v", what, proved)
		}
	}
	if _, err := json.Marshal(whole); err != nil {
		t.Error(err)
	}
}
