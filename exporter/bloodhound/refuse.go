package bloodhound

import (
	"errors"
	"hash/crc64"
	"time"
)

// refused is an element of data.logs that is JSON, and not a record: its bytes are known exactly.
type refused struct {
	fault     *SyntaxError
	createdAt time.Time // zero if it cannot be read
	raw       []byte    // a view of the page
}

// refuse sets an element aside that cannot be taken for a record, and goes on behind it; only JSON that is not well
// formed has no end behind which to go on.
func (s *scanner) refuse(p *parsed, start int, why error) error {
	s.pos = start
	raw, err := s.value()
	if err != nil {
		return err
	}
	fault, ok := errors.AsType[*SyntaxError](why)
	if !ok {
		return why
	}
	fault.Index = len(p.Records) - p.already + len(p.refused)
	fault.Around = around(s.buf, fault.Offset)
	p.refused = append(p.refused, refused{fault: fault, createdAt: fault.inRecord(s.buf, start), raw: raw})
	return nil
}

// identity tells refused elements apart as an id does records: below 1 unless it is an id.
func (r *refused) identity() int64 {
	if r.fault.ID != 0 {
		return r.fault.ID
	}
	return -int64(crc64.Checksum(r.raw, crc64.MakeTable(crc64.ISO)) >> 1)
}
