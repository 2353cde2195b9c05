package webhook_test

import (
	"bytes"
	"iter"
	"net/http"
	"slices"
	"testing"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// inParts yields records in parts of those sizes. The newest record comes first. The remaining records are the last part.
func inParts(all []record.Record, sizes ...int) iter.Seq2[[]record.Record, error] {
	return func(yield func([]record.Record, error) bool) {
		for rest, sizes := all, sizes; len(rest) > 0; {
			n := len(rest)
			if len(sizes) > 0 {
				n, sizes = min(n, sizes[0]), sizes[1:]
			}
			if !yield(slices.Clone(rest[len(rest)-n:]), nil) {
				return
			}
			rest = rest[:len(rest)-n]
		}
	}
}

// After a failure in one part, the next attempt sends the records of all parts that the receiver has not acknowledged. It also
// sends a batch again if it now reaches from one part into another. The receipt has each record once.
func TestPartsGoOn(t *testing.T) {
	t.Parallel()
	all := records(t, 24)
	w := windowOf(all)
	for name, test := range map[string]struct {
		sizes []int // of the parts of the second attempt; the first attempt has parts of 8 records
		again int   // records that the sink sends once more
	}{
		"the same parts":  {[]int{8, 8}, 0},
		"smaller parts":   {[]int{4, 4, 4, 4}, 0},
		"larger parts":    {[]int{20}, 0},
		"parts elsewhere": {[]int{6, 10}, 4},
		"one part":        {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			down := true
			rc := &receiver{answer: func(n int, _ post) (reply, error) {
				if down && n > 3 { // this is the second batch of the second part
					return answer(http.StatusServiceUnavailable), nil
				}
				return answer(http.StatusNoContent), nil
			}}
			s := newSink(t, webhook.Options{Transport: rc, BatchRecords: 4, RetryFor: 1})
			if _, err := s.WriteParts(t.Context(), w, inParts(all, 8, 8)); err == nil {
				t.Fatal("no error")
			}
			first := len(rc.posts)
			down = false
			receipt, err := s.WriteParts(t.Context(), w, inParts(all, test.sizes...))
			if err != nil {
				t.Fatal(err)
			}
			sent, told := 0, 0
			for _, p := range rc.posts[first:] {
				sent += bytes.Count(p.body, []byte("\n"))
			}
			for _, o := range receipt.Objects {
				told += o.Records
			}
			if told != len(all) || sent != len(all)-12+test.again {
				t.Errorf("the receipt has %d records of %d, and %d were sent after 12", told, len(all), sent)
			}
		})
	}
}
