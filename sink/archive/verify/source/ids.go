package source

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

// The bounds of a list of missing ids: the number of days, the number of the server's records on such a day, and the number of ids
// for each day.
const (
	listedDays    = 10
	listedRecords = 50_000
	listedIDs     = 20
)

// name lists missing ids if that is cheap.
func (c *comparison) name(ctx context.Context, days []Day) error {
	left := listedDays
	for i := range days {
		d := &days[i]
		if d.State != Missing {
			continue
		}
		if left == 0 || d.AtMost > listedRecords {
			d.Why = "The missing ids were not looked for: that takes reading the whole day from the server, which has " +
				"many records, or there are many such days."
			continue
		}
		left--
		if err := c.missing(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// errLarge says that a day is too large for a list of its records.
var errLarge = errors.New("the day has too many records for a list")

// missing lists ids of a day that the server has and the archive lacks.
func (c *comparison) missing(ctx context.Context, d *Day) error {
	held, err := c.held(ctx, d.number)
	if err != nil {
		return err
	}
	var lacking roaring64.Bitmap
	until := date(d.number + 1)
	if c.end.Before(until) {
		until = c.end
	}
	err = c.Server.Read(ctx, date(d.number), until, func(records []record.Record) error {
		for i := range records {
			if id := uint64(records[i].ID); !held.Contains(id) {
				lacking.Add(id)
			}
		}
		if lacking.GetCardinality() > listedRecords {
			return errLarge
		}
		return nil
	})
	switch {
	case errors.Is(err, errLarge):
		d.Why = "The day has grown too large for a list of the missing ids."
		return nil
	case err != nil:
		return fmt.Errorf("look for the missing ids of %s: %w", d.Day, err)
	}
	for _, id := range lacking.ToArray()[:min(lacking.GetCardinality(), listedIDs)] {
		d.IDs = append(d.IDs, int64(id))
	}
	if lacking.IsEmpty() {
		d.Why = "Each record that the server shows is in a file of the archive: the server counts records that it does not show, or the " +
			"journal does not name all files (see the other findings)."
	}
	return nil
}

// held returns the ids in the archive's files of a day. It reads only ids and times, one file after the other.
func (c *comparison) held(ctx context.Context, day int64) (*roaring64.Bitmap, error) {
	var ids roaring64.Bitmap
	for tenant := range c.tenants {
		keys, err := c.Files.List(ctx, read.DayPrefix(tenant, date(day)), "")
		if err != nil {
			return nil, fmt.Errorf("%w: list its files of %s: %w", ErrFiles, date(day).Format(time.DateOnly), err)
		}
		for _, key := range slices.DeleteFunc(keys, func(key string) bool { _, ok := read.Parse(key); return !ok }) {
			if err := c.file(ctx, key, &ids); err != nil {
				return nil, fmt.Errorf("%w: read the ids of %s: %w", ErrFiles, key, err)
			}
		}
	}
	return &ids, nil
}

// tail is the size of the end of a file that the first request reads.
const tail = 64 << 10

// file adds the ids of a file.
func (c *comparison) file(ctx context.Context, key string, ids *roaring64.Bitmap) error {
	opened, err := c.Files.Open(ctx, key, tail)
	if err != nil {
		return err
	}
	defer opened.Close()
	f, err := read.OpenAt(opened, opened.Size(), key)
	if err != nil {
		return err
	}
	all := parquet.Range{Low: math.MinInt64, High: math.MaxInt64}
	take := func(id int64) bool {
		ids.Add(uint64(id))
		return false // so the search reads no other column, and no line's contents
	}
	return f.Search(read.Query{
		Query: parquet.Query{
			IDs: all, Instants: func() parquet.Range { return all }, Whole: true,
			Match: func(r *record.Record) bool { return take(r.ID) },
		},
		Wants: func(id int64, _ time.Time) bool { return take(id) },
	}, func(*record.Record) error { return nil })
}
