package page

import (
	"errors"
	"hash/crc64"
	"time"
)

// A Refused is an element of data.logs that is JSON, and not a record: its bytes are known exactly.
type Refused struct {
	Fault     *SyntaxError
	CreatedAt time.Time // zero if it cannot be read
	Raw       []byte    // a view of the page
}

// refuse sets aside an element that is no record, and goes on behind it. If the JSON is not well formed, the element has no
// end behind which to go on, and refuse returns an error.
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

// identity tells refused elements apart, as an id tells records apart. If the element has no id, it is below 1.
func (r *Refused) identity() int64 {
	if r.Fault.ID != 0 {
		return r.Fault.ID
	}
	return -int64(crc64.Checksum(r.Raw, crc64.MakeTable(crc64.ISO)) >> 1)
}
