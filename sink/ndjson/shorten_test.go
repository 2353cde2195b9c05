package ndjson_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// cutFields are the fields of a cut record.
type cutFields struct {
	Truncated string `json:"truncated"`
}

// The short copy of any record is JSON within the limit, and has the same identity. It says the size and the sum of the whole
// fields. Short members do not change.
func TestShorten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := func(label string, most int) string {
			unit := rapid.SampledFrom([]string{"x", `é🐶`, `\"\\`, `<&>`, `\u2028`}).Draw(rt, label)
			return `"` + strings.Repeat(unit, rapid.IntRange(0, most).Draw(rt, label+" length")) + `"`
		}
		fields := `{"query":` + text("query", 3000) + `}`
		r := sinktest.Parse(t, fmt.Sprintf(`{"id":7,"created_at":"2026-01-15T12:34:56.123456Z","actor_name":%s,"fields":%s, "status":"intent",%s:1}`,
			text("name", 600), fields, text("key", 600)))
		most := rapid.IntRange(1000, 20_000).Draw(rt, "most")
		short := ndjson.Shorten(&r, most)
		if len(short.Raw) > most {
			rt.Fatalf("%d bytes, want %d at most", len(short.Raw), most)
		}
		if again := ndjson.Shorten(&r, most); *again != *short {
			rt.Fatal("the second copy is another one")
		}
		var got struct {
			ID        int64     `json:"id"`
			CreatedAt string    `json:"created_at"`
			Fields    cutFields `json:"fields"`
			Truncated bool      `json:"fields_truncated"`
			Bytes     int       `json:"fields_bytes"`
			SHA256    string    `json:"fields_sha256"`
			Status    string    `json:"status"`
		}
		if err := json.Unmarshal([]byte(short.Raw), &got); err != nil {
			rt.Fatalf("%v: %s", err, short.Raw)
		}
		sum := sha256.Sum256([]byte(fields))
		if got.ID != 7 || got.CreatedAt != "2026-01-15T12:34:56.123456Z" || !got.Truncated || got.Bytes != len(fields) ||
			got.SHA256 != hex.EncodeToString(sum[:]) || !strings.HasPrefix(fields, got.Fields.Truncated) || got.Status != "intent" {
			rt.Fatalf("%+v", got)
		}
		var same cutFields
		if err := json.Unmarshal([]byte(short.Fields), &same); err != nil || same != got.Fields {
			rt.Fatalf("fields %q: %v", short.Fields, err)
		}
		if short.ActorName != r.ActorName || short.ID != r.ID {
			rt.Fatal("a column was changed")
		}
	})
}
