package faults

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// serverLimit is the limit of a server if the query has none.
const serverLimit = 1000

// NoRows answers that the log is empty, also if it is not: a count of 0 and a list without rows.
func NoRows() bloodhoundtest.Fault { return CountWithoutRows(0) }

// CountWithoutRows answers with a count and a list without rows: a client that trusts the list takes a full log for
// empty.
func CountWithoutRows(n int) bloodhoundtest.Fault {
	return answer(func(w http.ResponseWriter, r *http.Request) {
		values := r.URL.Query()
		number := func(name string, missing int) int {
			n, err := strconv.Atoi(values.Get(name))
			if err != nil {
				return missing
			}
			return n
		}
		skip := cmp.Or(number("skip", 0), number("offset", 0))
		writeRaw(w, fmt.Sprintf(`{"count":%d,"limit":%d,"skip":%d,"data":{"logs":[]}}`,
			n, number("limit", serverLimit), skip))
	})
}

// NullRows answers with null in place of the list, and without count, limit and skip.
func NullRows() bloodhoundtest.Fault {
	return answer(func(w http.ResponseWriter, _ *http.Request) { writeRaw(w, `{"data":{"logs":null}}`) })
}

func writeRaw(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, text)
}
