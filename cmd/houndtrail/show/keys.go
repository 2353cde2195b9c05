package show

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// Keys prints the keys that journals name, in the form table or json.
type Keys struct {
	w     io.Writer
	table *Table[keyRow] // nil for json
	added bool
}

type keyRow struct {
	stream, state string
	seal.KeyState
}

// NewKeys returns a printer of keys. It prints nothing yet.
func NewKeys(w io.Writer, form string) *Keys {
	if form == "json" {
		return &Keys{w: w}
	}
	return &Keys{w: w, table: NewTable(w, []Column[keyRow]{
		{Name: "JOURNAL", Cell: func(r keyRow) string { return r.stream }},
		{Name: "STATE", Cell: func(r keyRow) string { return r.state }},
		{Name: "FROM ENTRY", Cell: func(r keyRow) string { return strconv.FormatUint(r.From, 10) }},
		{Name: "SHA-256", Cell: func(r keyRow) string { return r.Key.Fingerprint()[:16] }},
		{Name: "REASON", Cell: func(r keyRow) string { return r.Reason }, Needed: func(r keyRow) bool { return r.Reason != "" }},
	})}
}

// Add prints the keys of a journal; nil for none.
func (k *Keys) Add(stream string, list *checkpoint.KeyList) error {
	if list == nil {
		return nil
	}
	k.added = true
	if k.table == nil {
		return JSON(k.w, struct {
			Stream string `json:"stream"`
			seal.Keys
		}{stream, list.Keys})
	}
	for _, of := range []struct {
		state string
		keys  []seal.KeyState
	}{{"active", list.Active}, {"retired", list.Retired}, {"revoked", list.Revoked}} {
		for _, key := range of.keys {
			if err := k.table.Add(keyRow{stream, of.state, key}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Empty tells that no journal has named a key.
func (k *Keys) Empty() bool { return !k.added }

// End prints the rest.
func (k *Keys) End() error {
	switch {
	case k.table == nil:
		return nil
	case k.Empty():
		_, err := fmt.Fprintln(k.w, "No journal names a key: none is signed yet.")
		return err
	}
	return k.table.Flush()
}

// keyWords says in words how many keys of each state a list has.
func keyWords(list *checkpoint.KeyList) string {
	if list == nil {
		return ""
	}
	var words []string
	for _, of := range []struct {
		state string
		keys  []seal.KeyState
	}{{"active", list.Active}, {"retired", list.Retired}, {"revoked", list.Revoked}} {
		if len(of.keys) > 0 {
			words = append(words, fmt.Sprintf("%d %s", len(of.keys), of.state))
		}
	}
	return strings.Join(words, ", ")
}
