package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// WriteParts is Write for records that come part by part. Each part makes an object for each of its days. The objects are
// durable before WriteParts asks for the next part. An object of an earlier attempt stays as it is: WriteParts does not write
// its records again, and the receipt names that object too. So the parts of two attempts may end at different records.
//
// The objects of a day have numbers without a gap. The first one has the same name as in a window that is written as a whole.
// If an earlier attempt's object is still on its way, it has the same key as the next object of this attempt, and the bucket
// refuses one of the two.
func (a *Archive) WriteParts(
	ctx context.Context, w window.Window, parts iter.Seq2[[]record.Record, error],
) (checkpoint.Receipt, error) {
	d := division{Archive: a, window: w, days: map[time.Time]*dayParts{}}
	for records, err := range parts {
		if err == nil {
			err = d.write(ctx, records)
		}
		if err != nil {
			return checkpoint.Receipt{}, err
		}
	}
	return d.receipt()
}

// A division is a window that is written in parts.
type division struct {
	*Archive
	window  window.Window
	days    map[time.Time]*dayParts
	written []checkpoint.Object
}

// dayParts are the objects of one day.
type dayParts struct {
	next int // the number of the next object: 0, 2, 3 and so on
	left []*leftover
}

// A leftover is an object of an earlier attempt.
type leftover struct {
	line checkpoint.Object // complete once all of its records have come
	ids  []int64           // in order
	came []bool
}

// write writes one part.
func (d *division) write(ctx context.Context, records []record.Record) error {
	days, err := split(records)
	if err != nil {
		return d.failed(err)
	}
	buffer := d.buffers.Take()
	defer d.buffers.Give(buffer)
	for _, records := range days {
		day, err := d.day(ctx, records[0].CreatedAt.UTC().Truncate(24*time.Hour))
		if err != nil {
			return d.failed(err)
		}
		if records = slices.DeleteFunc(records, day.has); len(records) == 0 {
			continue
		}
		buffer.Reset()
		objects, err := d.encode(buffer, d.window, day.next, [][]record.Record{records})
		if err != nil {
			return err
		}
		receipt, err := d.Archive.write(ctx, objects)
		if err != nil {
			return err
		}
		d.written = append(d.written, receipt.Objects...)
		day.follow(day.next)
	}
	return nil
}

// day finds the objects that earlier attempts have left for a day. It looks only once for each day.
func (d *division) day(ctx context.Context, at time.Time) (*dayParts, error) {
	if known := d.days[at]; known != nil {
		return known, nil
	}
	keys, err := d.bucket.List(ctx, read.DayPrefix(d.tenant, at), "")
	if err != nil {
		return nil, fmt.Errorf("look for what an earlier attempt has left: %w", err)
	}
	day := new(dayParts)
	for _, key := range keys {
		o, ok := read.Parse(key)
		if !ok || !o.Of(d.window.Start, d.window.Pass) {
			continue
		}
		l, err := d.open(ctx, key)
		if err != nil {
			return nil, err
		}
		day.left = append(day.left, l)
		day.follow(o.Part)
	}
	d.days[at] = day
	return day, nil
}

// follow gives the next object the number after that one.
func (p *dayParts) follow(part int) { p.next = max(p.next, part+1, 2) }

func (d *division) open(ctx context.Context, key string) (*leftover, error) {
	body, _, _, err := d.bucket.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	var ids []int64
	var rows sink.Rows
	d.decoding(func() {
		var file *read.File
		if file, err = read.Open(body, key); err == nil {
			err = file.Rows(func(r *record.Record) error {
				ids = append(ids, r.ID)
				rows.Add(r)
				return nil
			})
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w, so nothing is written beside it; move it out of the archive and run again: %w", key, ErrForeign, err)
	}
	sum := sha256.Sum256(body)
	slices.Sort(ids)
	return &leftover{
		line: checkpoint.Object{Key: key, Bytes: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), RecordsRoot: rows.Root()},
		ids:  ids, came: make([]bool, len(ids)),
	}, nil
}

// has tells whether an earlier attempt has written the record. It notes that the record has come again.
func (p *dayParts) has(r record.Record) bool {
	for _, l := range p.left {
		if i, found := slices.BinarySearch(l.ids, r.ID); found {
			if !l.came[i] {
				l.came[i] = true
				l.line = sink.Joined(l.line, sink.StampOf(&r))
			}
			return true
		}
	}
	return false
}

// receipt names the objects of this attempt and of earlier ones, by key.
func (d *division) receipt() (checkpoint.Receipt, error) {
	objects := d.written
	for _, day := range d.days {
		for _, l := range day.left {
			if i := slices.Index(l.came, false); i >= 0 {
				return checkpoint.Receipt{}, d.failed(fmt.Errorf("%s: %w: %d of its %d did not come again (id %d, to begin with), because "+
					"another runner wrote it, or the server has purged them since; it is left as it is; to give it up, move it out of the "+
					"archive and run again", l.line.Key, ErrHasMore, len(l.ids)-l.line.Records, len(l.ids), l.ids[i]))
			}
			objects = append(objects, l.line)
		}
	}
	slices.SortFunc(objects, func(a, b checkpoint.Object) int { return strings.Compare(a.Key, b.Key) })
	return checkpoint.Receipt{Objects: objects}, nil
}

func (d *division) failed(err error) error {
	return fmt.Errorf("archive the window from %s in parts: %w", d.window.Start.UTC().Format(time.RFC3339Nano), err)
}
