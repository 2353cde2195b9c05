package page

import (
	"fmt"
	"slices"

	"github.com/houndtrail/houndtrail/exporter/quote"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// IDs find out whether two records have the same id. Its memory is used again for the next batch.
//
// The database gives a row its id and its time at the insert, so ids nearly always rise with time. The rising ids are a sorted
// list without repeats. IDs searches that list for the few other ids.
type IDs struct{ rising, others []int64 }

// Reused returns an error if two records have the same id and different content, and nil if no two have. The records come
// from [Sort].
func (s *IDs) Reused(records []record.Record) error {
	if id, twice := s.twice(records); twice {
		return reusedError(records, id)
	}
	return nil
}

// twice is an id that two of the records have; ok is false if there is none.
func (s *IDs) twice(records []record.Record) (id int64, ok bool) {
	s.rising, s.others = slices.Grow(s.rising[:0], len(records)), s.others[:0]
	highest := int64(0) // below every id
	for i := range records {
		if id := records[i].ID; id > highest {
			highest = id
			s.rising = append(s.rising, id)
		} else {
			s.others = append(s.others, id)
		}
	}
	slices.Sort(s.others)
	rest := s.rising
	for i, id := range s.others {
		if i > 0 && id == s.others[i-1] {
			return id, true
		}
		at, found := slices.BinarySearch(rest, id)
		if found {
			return id, true
		}
		rest = rest[at:]
	}
	return 0, false
}

// reusedError is the error about an id that two of the records have.
func reusedError(records []record.Record, id int64) error {
	var same []*record.Record
	for i := range records {
		if records[i].ID == id {
			same = append(same, &records[i])
		}
	}
	return fmt.Errorf("the server answered with the id %d twice and different content (%s): an id belongs to one row of its "+
		"database, so one of the two is not what is stored there, and nothing of what was read is used; is there a cache or "+
		"more than one database behind the address, or is the log being altered while it is read? If this goes on, look at "+
		"the row in BloodHound's database (table audit_logs)", id, difference(same[0], same[1]))
}

// difference says in short how two records with the same id differ. It is "" if they do not differ. Another spelling of the
// same instant, or another order of the keys, is no difference: one address may have two server processes behind it.
func difference(a, b *record.Record) string {
	if !a.CreatedAt.Equal(b.CreatedAt) {
		return fmt.Sprintf("created_at %s and %s", FormatTime(a.CreatedAt), FormatTime(b.CreatedAt))
	}
	if a.Raw == b.Raw {
		return ""
	}
	first, second := members(a.Raw), members(b.Raw)
	for _, m := range first {
		if other := find(second, m.key); m.key != "created_at" && m.text != other {
			return contrast(m.key, m.text, other)
		}
	}
	for _, m := range second {
		if find(first, m.key) == missing {
			return contrast(m.key, missing, m.text)
		}
	}
	return ""
}

func contrast(key, a, b string) string {
	short := func(text string) string { return quote.Clip(quote.OneLine(text), longestQuote) }
	return fmt.Sprintf("%s %s and %s", short(key), short(a), short(b))
}

// A member is a key of a record and the text of its value.
type member struct{ key, text string }

// missing stands for the value of a key that a record does not have.
const missing = "(missing)"

// members takes apart a record that the scanner has read before.
func members(raw string) (all []member) {
	s := &scanner{buf: []byte(raw)}
	_ = s.object(func(key []byte) error {
		text, err := s.value()
		all = append(all, member{string(key), string(text)})
		return err
	})
	return all
}

func find(all []member, key string) string {
	for _, m := range all {
		if m.key == key {
			return m.text
		}
	}
	return missing
}
