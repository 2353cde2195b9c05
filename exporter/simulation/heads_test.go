package simulation

import (
	"encoding/json"
	"fmt"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// judgeHeads checks each head that a process sends to the store, whether it gets there or not: all processes ever sign one text for
// one size of a journal.
func (w *world) judgeHeads(who string, body []byte) {
	var sent struct {
		Head string `json:"head"` // of a note
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
			_, err = head.SignedBy(seal.PublicOf(checkpointtest.Key(1)))
		}
		if err != nil {
			w.fail("%s sends the head %q: %v", who, note, err)
			w.mu.Unlock()
			return
		}
		of := fmt.Sprintf("%s %d", head.Origin, head.Size)
		if known := w.heads[of]; known != "" && known != note {
			w.fail("%s signs the head %q, and a process has signed %q", who, note, known)
		}
		w.heads[of] = note
		w.tally["heads"]++
		w.mu.Unlock()
	}
}
