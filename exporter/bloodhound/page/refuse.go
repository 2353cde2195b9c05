package page

import (
	"errors"
	"hash/crc64"
	"time"
)

// A Refused is an element of data.logs that is JSON but no record. Its exact bytes are known.
type Refused struct {
	Fault     *SyntaxError
	CreatedAt time.Time // zero if it cannot be read
	Raw       []byte    // a view of the page
}

// refuse puts an element that is no record aside, and goes on after it. If the JSON is not well formed, refuse cannot find the
// end of the element, and returns an error.
func (s *scanner) refuse(p *Page, start int, why error) error {
	s.pos = start
	raw, err := s.value()
	if err != nil {
		return err
	}
	fault, ok := errors.AsType[*SyntaxError](why)
	if !ok {
		return why
	}
	fault.Index = len(p.Records) - p.already + len(p.Refused)
	fault.Around = around(s.buf, fault.Offset)
	p.Refused = append(p.Refused, Refused{Fault: fault, CreatedAt: fault.inRecord(s.buf, start), Raw: raw})
	return nil
}

// identity tells refused elements apart, as an id does for records. It is below 1 if the element has no id.
func (r *Refused) identity() int64 {
	if r.Fault.ID != 0 {
		return r.Fault.ID
	}
	return -int64(crc64.Checksum(r.Raw, crc64.MakeTable(crc64.ISO)) >> 1)
}
