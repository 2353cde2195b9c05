package sinktest

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// Root returns the records_root of an object with these records, as RFC 6962 (2.1) and the row's definition say. It shares no code
// with the program.
func Root(records []record.Record) [sha256.Size]byte {
	leaves := make([][sha256.Size]byte, len(records))
	for i := range records {
		leaves[i] = sha256.Sum256([]byte("\x00" + row(&records[i])))
	}
	return root(leaves)
}

func root(leaves [][sha256.Size]byte) [sha256.Size]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	split := 1
	for split*2 < len(leaves) {
		split *= 2
	}
	left, right := root(leaves[:split]), root(leaves[split:])
	return sha256.Sum256([]byte("\x01" + string(left[:]) + string(right[:])))
}

func row(r *record.Record) string {
	netstring := func(text string) string { return fmt.Sprintf("%d:%s,", len(text), text) }
	parts := []string{netstring(fmt.Sprint(r.ID)), netstring(fmt.Sprint(r.CreatedAt.UnixMicro()))}
	oneLine := strings.NewReplacer("\r", " ", "\n", " ").Replace(r.Fields)
	for i, value := range []string{
		r.ActorID, r.ActorName, r.ActorEmail, r.Action, oneLine, r.RequestID, r.SourceIP, r.CommitID, r.Status,
	} {
		if r.Absent.Has(record.At(i)) {
			parts = append(parts, "-,")
		} else {
			parts = append(parts, netstring(value))
		}
	}
	return strings.Join(parts, "")
}
