package ndjson

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// Each calls each with every record of a file of the tenant's lines, in its order, until each returns an error. It reads the
// text that AppendLine puts before a record. The first bytes of the file show the compression. It refuses a file that is cut
// off, and a file with any other line.
func (l Lines) Each(file []byte, each func(id int64, createdAt time.Time) error) error {
	return l.lines(file, func(id int64, createdAt time.Time, _ []byte) error { return each(id, createdAt) })
}

// Records is like [Lines.Each], but each record has only its id, its time and, as Raw, its line.
func (l Lines) Records(file []byte, each func(*record.Record) error) error {
	return l.lines(file, func(id int64, createdAt time.Time, line []byte) error {
		return each(&record.Record{ID: id, CreatedAt: createdAt, Raw: string(line)})
	})
}

// lines calls each with every line of a file, without its end.
func (l Lines) lines(file []byte, each func(id int64, createdAt time.Time, line []byte) error) error {
	return l.Scan(bytes.NewReader(file), each)
}

// Scan is like [Lines.Each], for a file that comes piece by piece. It holds one line at a time, and each gets that line without
// its end.
func (l Lines) Scan(file io.Reader, each func(id int64, createdAt time.Time, line []byte) error) error {
	buffered := bufio.NewReader(file)
	begin, err := buffered.Peek(len(zstdMagic))
	if err != nil {
		return fmt.Errorf("read NDJSON: %w", err)
	}
	unzipped, err := compressionOf(begin).Reader(buffered)
	if err != nil {
		return fmt.Errorf("read NDJSON: %w", err)
	}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(make([]byte, piece), math.MaxInt) // a record can be of any length
	for n := 1; lines.Scan(); n++ {
		id, createdAt, err := l.identity(lines.Bytes())
		if err != nil {
			return fmt.Errorf("read NDJSON: line %d: %w: %.100q", n, err, lines.Bytes())
		}
		if err := each(id, createdAt, lines.Bytes()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read NDJSON: %w", err)
	}
	return nil
}

// Served is the record of a line as the server sent it.
func (l Lines) Served(line []byte) string {
	_, members, _ := bytes.Cut(line, []byte(l.tail))
	return "{" + string(bytes.TrimPrefix(members, []byte(",")))
}

// identity reads the id and the instant from the text that Append puts before a record.
func (l Lines) identity(line []byte) (id int64, createdAt time.Time, err error) {
	rest, ok := bytes.CutPrefix(line, []byte(l.head))
	if !ok {
		return 0, time.Time{}, fmt.Errorf("it does not begin with %s", l.head)
	}
	number, rest, _ := bytes.Cut(rest, []byte("/"))
	instant, _, ok := bytes.Cut(rest, []byte(l.tail))
	if !ok {
		return 0, time.Time{}, fmt.Errorf("%s does not follow the event id", l.tail)
	}
	id, idErr := strconv.ParseInt(string(number), 10, 64)
	us, usErr := strconv.ParseInt(string(instant), 10, 64)
	if err := errors.Join(idErr, usErr); err != nil {
		return 0, time.Time{}, fmt.Errorf("its event id has no id and instant: %w", err)
	}
	if !json.Valid(line) {
		return 0, time.Time{}, errors.New("it is no JSON")
	}
	return id, time.UnixMicro(us).UTC(), nil
}

// IDs reads the ids of the records in a file, in its order.
func (e *Encoder) IDs(file []byte) ([]int64, error) {
	var ids []int64
	err := e.form.Each(file, func(id int64, _ time.Time) error {
		ids = append(ids, id)
		return nil
	})
	return ids, err
}
