package read

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// Serve sets the Raw of a record from a Parquet object: the JSON that the server sends for it, on one line. Two facts are lost:
// whether the server sent a null or nothing, and how it escaped a text. A record that has its Raw stays as it is.
func Serve(r *record.Record) error {
	if r.Raw != "" {
		return nil
	}
	var b strings.Builder
	b.WriteString(`{"id":` + strconv.FormatInt(r.ID, 10) + `,"created_at":"` + r.CreatedAt.UTC().Format(time.RFC3339Nano) + `"`)
	columns := record.Columns()
	status := len(columns) - 1 // servers write this key before the commit id
	columns[status-1], columns[status] = columns[status], columns[status-1]
	for _, column := range columns {
		b.WriteString(`,"` + column.Name + `":`)
		value := *column.Value(r)
		switch {
		case r.Absent.Has(record.Of(column.Name)):
			b.WriteString("null")
		case column.Kind == record.JSON:
			if !json.Valid([]byte(value)) {
				return fmt.Errorf("id %d: its %s is no JSON", r.ID, column.Name)
			}
			b.WriteString(oneLine.Replace(value))
		default:
			text, _ := json.Marshal(value) //nolint:errchkjson // a string always has a JSON form
			b.Write(text)
		}
	}
	b.WriteString("}")
	r.Raw = b.String()
	return nil
}

// oneLine puts JSON on one line: line breaks stand only between tokens, and there a blank means the same.
var oneLine = strings.NewReplacer("\n", " ", "\r", " ") //nolint:gochecknoglobals // a constant
