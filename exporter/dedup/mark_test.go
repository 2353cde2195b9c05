package dedup

import (
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// TestMarkInPieces: the mark is that of the whole text, although the marker holds only pieces of it.
func TestMarkInPieces(t *testing.T) {
	for _, size := range []int{0, 1, markPiece - 1, markPiece, markPiece + 1, 10*markPiece + 7} {
		r := record.Record{CreatedAt: time.UnixMicro(0), Action: "a", Fields: strings.Repeat("0123456789", size/10+1)[:size], Status: "s"}
		whole := strings.Repeat("\x00", 16) + "\x03a\xff" + "\x04" + r.Fields + "\xff" + "\x08s\xff"
		if size == 0 {
			whole = strings.Replace(whole, "\x04\xff", "", 1)
		}
		sum := crc32.Checksum([]byte(whole), crc32.MakeTable(crc32.Castagnoli))
		var m marker
		if got, want := m.mark(&r), uint16(sum)^uint16(sum>>16); got != want {
			t.Errorf("%d bytes: %x, want %x", size, got, want)
		}
		if held := cap(m.text); held > 3*markPiece {
			t.Errorf("%d bytes are held for a text of %d", held, size)
		}
	}
}
