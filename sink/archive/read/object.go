package read

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

// Root is the folder of the archive in its bucket. The checkpoints are in a folder beside it.
const Root = "audit"

// startFormat is how a key writes its window's start, in UTC. The names of a day's objects sort by time.
const startFormat = "20060102T150405.000000Z"

// partMark stands before the number of a part, and compactMark before that of a compaction.
const (
	partMark    = ".part"
	compactMark = ".compact"
)

var tenants = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// CheckTenant tells whether the name can be part of keys, and of SQL.
func CheckTenant(tenant string) error {
	if !tenants.MatchString(tenant) {
		return fmt.Errorf("tenant %q: only A-Z, a-z, 0-9, '.', '_' and '-' can be part of an object's key", tenant)
	}
	return nil
}

// probeName is the name of the object that a compaction deletes as a test. Hive, Trino, Spark and Athena read no object whose
// name begins so.
const probeName = "_delete-probe"

// ProbeKey is the key of the object with which a program tests whether it may delete a tenant's objects. This object is no part
// of the archive.
func ProbeKey(tenant string) string { return Prefix(tenant) + probeName }

// Rewritten tells whether a key of the archive's store is working state: such a key needs no retention.
func Rewritten(key string) bool {
	return strings.HasPrefix(key, Root+"/") && strings.HasSuffix(key, "/"+probeName) && strings.Count(key, "/") == 2
}

// DayPrefix is the beginning of the keys of a tenant's objects of one day.
func DayPrefix(tenant string, day time.Time) string {
	return Prefix(tenant) + "dt=" + day.UTC().Format(time.DateOnly) + "/"
}

// Prefix is the beginning of the keys of a tenant's objects.
func Prefix(tenant string) string { return Root + "/tenant=" + tenant + "/" }

// An Object has the facts that stand in the key of an object. The object holds records of one day, and of one window unless it
// is compacted.
type Object struct {
	Tenant    string
	Day       time.Time // its midnight in UTC
	Start     time.Time // the start of the window; in a compacted object, of the earliest one
	Pass      uint64    // the pass of the window; in a compacted object, the highest one
	Part      int       // 0 for the first of the window's objects of that day; if the window came in parts, the others count from 2 on
	Compacted int       // the number of the compaction that made it, from 1 on for each day; 0 for the object of a window
	Extension string    // the format: [parquet.Extension], [ndjson.Extension] or [ndjson.ZstdExtension]
}

// Of tells whether the object belongs to this window only. A compacted object does not: no attempt at a window replaces it.
func (o Object) Of(start time.Time, pass uint64) bool {
	return o.Compacted == 0 && o.Start.Equal(start) && o.Pass == pass
}

// Key is the key of the object. It does not depend on the window's end: if a retry reads more than the previous attempt, its
// object has the same key.
func (o Object) Key() string {
	name := o.Start.UTC().Format(startFormat)
	if o.Pass > 0 {
		name += "-" + strconv.FormatUint(o.Pass, 10)
	}
	if o.Part > 1 {
		name += partMark + strconv.Itoa(o.Part)
	}
	if o.Compacted > 0 {
		name += compactMark + strconv.Itoa(o.Compacted)
	}
	return DayPrefix(o.Tenant, o.Day) + name + o.Extension
}

// Parse is the reverse of Key. ok is false for every other name.
func Parse(key string) (o Object, ok bool) {
	parts := strings.Split(key, "/")
	if len(parts) != 4 {
		return Object{}, false
	}
	o.Tenant = strings.TrimPrefix(parts[1], "tenant=")
	name := parts[3]
	for _, extension := range []string{parquet.Extension, ndjson.Extension, ndjson.ZstdExtension} {
		if stem, found := strings.CutSuffix(name, extension); found {
			name, o.Extension = stem, extension
		}
	}
	name, number, compacted := strings.Cut(name, compactMark)
	name, part, divided := strings.Cut(name, partMark)
	start, pass, numbered := strings.Cut(name, "-")
	var err error
	if divided {
		if o.Part, err = strconv.Atoi(part); err != nil {
			return Object{}, false
		}
	}
	if compacted {
		if o.Compacted, err = strconv.Atoi(number); err != nil {
			return Object{}, false
		}
	}
	if numbered {
		if o.Pass, err = strconv.ParseUint(pass, 10, 64); err != nil {
			return Object{}, false
		}
	}
	if o.Day, err = time.Parse(time.DateOnly, strings.TrimPrefix(parts[2], "dt=")); err != nil {
		return Object{}, false
	}
	if o.Start, err = time.Parse(startFormat, start); err != nil {
		return Object{}, false
	}
	// This compares the rest of the form. It also refuses a number in another spelling.
	if o.Extension == "" || CheckTenant(o.Tenant) != nil || o.Key() != key {
		return Object{}, false
	}
	return o, true
}

// Contains tells whether the instant is on the object's day.
func (o Object) Contains(t time.Time) bool {
	return !t.Before(o.Day) && t.Before(o.Day.AddDate(0, 0, 1))
}

// Encoding is the format in words.
func (o Object) Encoding() string {
	switch o.Extension {
	case ndjson.Extension:
		return "ndjson"
	case ndjson.ZstdExtension:
		return "ndjson-zstd"
	default:
		return "parquet"
	}
}
