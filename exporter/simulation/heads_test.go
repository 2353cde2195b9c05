package simulation

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// judgeHeads checks each head that a process sends to the store, even if it does not arrive. All processes must sign the same text
// for one size of a journal.
func (w *world) judgeHeads(who string, body []byte) {
	var sent struct {
		Head string `json:"head"` // the head in a note
		Seal struct {
			Head string `json:"head"`
		} `json:"seal"`
	}
	if json.Unmarshal(body, &sent) != nil {
		return
	}
	for _, note := range []string{sent.Head, sent.Seal.Head} {
		if note == "" {
			continue
		}
		w.mu.Lock()
		head, err := seal.ReadHead(note)
		if err == nil {
			_, err = head.SignedBy(bothKeys...)
		}
		if err != nil {
			w.fail("%s sends the head %q: %v", who, note, err)
			w.mu.Unlock()
			return
		}
		of := fmt.Sprintf("%s %d", head.Origin, head.Size)
		if known := w.heads[of]; known != "" && known != head.Text() {
			w.fail("%s signs the head %q, and a process has signed %q", who, note, known)
		}
		w.heads[of] = head.Text() // while keys are rotated, its signatures may differ
		w.tally["heads"]++
		w.mu.Unlock()
	}
}

// bothKeys are the public keys of the journals. A world begins with the first one, and some rotate them.
var bothKeys = []seal.PublicKey{seal.PublicOf(checkpointtest.Key(1)), seal.PublicOf(checkpointtest.Key(2))}

// rotate lets the processes that begin from now on sign with both keys, and later with the second one alone. A person does that
// when every journal names both, and then restarts all processes. It tells whether they must restart.
func (w *world) rotate(tick int) bool {
	const add, retire = 3, 7 // the earliest cycles at which a person looks
	switch {
	case !w.rotates:
	case len(w.signing) == 1 && tick == add:
		w.signing = append(w.signing, checkpointtest.Key(2))
		w.tally["keys that were added"]++
		w.note("operator", "adds a key")
	case len(w.signing) == 2 && tick >= retire && w.bothVouch():
		w.signing = w.signing[1:]
		w.tally["keys that were retired"]++
		w.note("operator", "takes the first key away")
		return true
	}
	return false
}

// bothVouch tells whether every journal with an entry says that the second key is active. A journal that is gone says nothing: it
// may come back with the list that it had.
func (w *world) bothVouch() bool {
	for _, j := range w.journals {
		if j.lost != lostNot {
			return false
		}
		ring := w.rings[j.origin]
		if j.serial > 0 && (ring == nil || !slices.Contains(ring.Active(j.serial), bothKeys[1])) {
			return false
		}
	}
	return true
}

// judgeKeys checks that an active key signs an entry. The entries before it, or its own list, say which keys are active. It also
// checks that an earlier key vouches for each list.
func (w *world) judgeKeys(p *process, j *journal, e checkpoint.Checkpoint, body []byte) {
	entry, err := seal.ReadEntry(body)
	if err == nil {
		j.origin = entry.Seal.Origin
		ring := w.rings[j.origin]
		if ring == nil {
			ring = seal.NewKeyring(j.origin, bothKeys...)
			w.rings[j.origin] = ring
		}
		if e.Keys != nil {
			err = ring.Change(entry, e.Keys.Keys)
		}
		if err == nil {
			err = ring.Judge(entry)
		}
	}
	if err != nil {
		w.fail("entry %d of %s is not vouched for: %v", e.Serial, p.name, err)
	}
}

// judgeList checks an entry of kind keys, which changes nothing else.
func (w *world) judgeList(p *process, j *journal, e checkpoint.Checkpoint, body []byte) {
	if e.Serial != j.serial+1 || e.PreviousSHA256 != j.sha || j.name != backfillStream && !e.Cursor.Equal(j.cursor) {
		w.fail("entry %d of %s does not follow entry %d", e.Serial, p.name, j.serial)
	}
	j.serial, j.sha = e.Serial, digest(body)
	w.tally["entries of kind keys"]++
	w.note(p.name, "commits %s %d: keys", j.name, e.Serial)
	w.judgeCounts(e, 0)
	if j.name != backfillStream { // a backfill remembers no id
		w.judgeSet(p, j, e)
	}
}
