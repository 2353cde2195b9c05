package config

import (
	"fmt"
	"math"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// ByteSize is a number of bytes.
type ByteSize int64

type unit struct {
	suffix string
	bytes  int64
}

// units are the suffixes of a size, the largest first. There are no decimal ones: no user means them.
func units() []unit {
	return []unit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}
}

// ParseByteSize reads a whole number of bytes, or of KiB, MiB or GiB.
func ParseByteSize(text string) (ByteSize, error) {
	for _, unit := range units() {
		digits, found := strings.CutSuffix(text, unit.suffix)
		if !found {
			continue
		}
		// ParseUint takes digits only: no sign, and no underscore in base 10.
		number, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || int64(number) > math.MaxInt64/unit.bytes {
			break
		}
		return ByteSize(int64(number) * unit.bytes), nil
	}
	return 0, fmt.Errorf("%s is not a size; want bytes, or a whole number with KiB, MiB or GiB", quote(text))
}

// UnmarshalText is [ParseByteSize]. The library also calls it for a variable that is not set, with an empty text.
func (b *ByteSize) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		return nil
	}
	*b, err = ParseByteSize(string(text))
	return err
}

// String has the largest unit that fits exactly; [ParseByteSize] reads it back.
func (b ByteSize) String() string {
	for _, unit := range units() {
		if n := int64(b); n != 0 && n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + unit.suffix
		}
	}
	return "0B"
}

// Schedule says when the daemon runs a cycle.
type Schedule struct {
	Spec string // as given
	cron.Schedule
}

// An OptionalSchedule is a [Schedule], or none if the text is off.
type OptionalSchedule struct{ Schedule }

// UnmarshalText takes off, and the texts of a [Schedule].
func (s *OptionalSchedule) UnmarshalText(text []byte) error {
	if strings.TrimSpace(string(text)) == "off" {
		*s = OptionalSchedule{}
		return nil
	}
	if err := s.Schedule.UnmarshalText(text); err != nil {
		return invalidf("%v; or off", err)
	}
	return nil
}

const wantSchedule = "want five cron fields such as */5 * * * *, or @hourly, or @every 5m, with CRON_TZ=Europe/Berlin in front " +
	"for a time zone"

// UnmarshalText takes the specs of cron.ParseStandard, except specs that never fire, or fire at other times than they say. The
// library also calls it for a variable that is not set, with an empty text.
func (s *Schedule) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	spec := strings.TrimSpace(string(text))
	_, rest, spaced := strings.Cut(spec, " ")
	if strings.Contains(spec, "TZ=") && !spaced {
		return invalidf("got %s; %s", quote(spec), wantSchedule) // cron's parser panics on a time zone alone
	}
	schedule, err := cron.ParseStandard(spec)
	if err != nil {
		return invalidf("got %s: %s; %s", quote(spec), err, wantSchedule)
	}
	if every, ok := schedule.(cron.ConstantDelaySchedule); ok {
		// cron rounds without a word, and if the interval is negative, it runs every second.
		if asked, err := time.ParseDuration(rest[strings.LastIndex(rest, " ")+1:]); err != nil || asked != every.Delay {
			return invalidf("got %s; want an interval of whole seconds, at least @every 1s", quote(spec))
		}
	}
	if expression := tooFar(rest, spec); expression != "" {
		return invalidf("got %s: the step of %s is longer than its field, and does not go on in the next hour, day or year; %s",
			quote(spec), expression, wantSchedule)
	}
	// Any spec that ever fires does so within the five years that cron looks ahead of a leap year.
	if schedule.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return invalidf("got %s, which never comes, like the 30th of February; %s", quote(spec), wantSchedule)
	}
	*s = Schedule{Spec: spec, Schedule: schedule}
	return nil
}

// tooFar is an expression such as */90 in the field of minutes, "" if there is none: cron reads it as the field's first value
// alone.
func tooFar(rest, spec string) string {
	if !strings.Contains(spec, "TZ=") {
		rest = spec
	}
	sizes := []int{60, 24, 31, 12, 7}
	for i, field := range strings.Fields(rest) {
		for expression := range strings.SplitSeq(field, ",") {
			_, step, _ := strings.Cut(expression, "/")
			if n, err := strconv.Atoi(step); err == nil && n > sizes[i] {
				return expression
			}
		}
	}
	return ""
}

// String is the spec as given.
func (s Schedule) String() string { return s.Spec }

// Start is the time at which a first run starts.
type Start struct {
	At time.Time // UTC; the zero time stands for the oldest record that the server still has
}

// UnmarshalText takes "oldest" or an RFC 3339 time.
func (s *Start) UnmarshalText(text []byte) error {
	if string(text) == "oldest" {
		*s = Start{}
		return nil
	}
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil || at.IsZero() {
		return invalidf("got %s; want oldest, or a time such as 2026-01-31T00:00:00Z", quote(string(text)))
	}
	s.At = at.UTC()
	return nil
}

// String is "oldest" or the time, as UnmarshalText takes it.
func (s Start) String() string {
	if s.At.IsZero() {
		return "oldest"
	}
	return s.At.Format(time.RFC3339Nano)
}

// Retention is how long BloodHound keeps audit records. The zero value stands for auto: Houndtrail finds it out.
type Retention struct {
	Fixed time.Duration
	Off   bool // Houndtrail does not watch it
}

// The retentions that make sense: below the least one, no warning could come in time.
const (
	leastRetention = 24 * time.Hour
	mostRetention  = 100 * 365 * 24 * time.Hour
)

// UnmarshalText takes "auto", "off" or a duration.
func (r *Retention) UnmarshalText(text []byte) error {
	switch string(text) {
	case "auto":
		*r = Retention{}
	case "off":
		*r = Retention{Off: true}
	default:
		fixed, err := time.ParseDuration(string(text))
		if err != nil || fixed < leastRetention || fixed > mostRetention {
			return invalidf("got %s; want auto, off, or a duration from 24h to 876000h", quote(string(text)))
		}
		*r = Retention{Fixed: fixed}
	}
	return nil
}

// String is the setting as UnmarshalText takes it.
func (r Retention) String() string {
	switch {
	case r.Off:
		return "off"
	case r.Fixed > 0:
		return r.Fixed.String()
	default:
		return "auto"
	}
}

// Rate is the most requests a second; 0 stands for auto.
type Rate float64

// The rates that make sense: one request in 100 s, and more than any server answers.
const (
	leastRate = 0.01
	mostRate  = 1000
)

// UnmarshalText takes "auto" or a number.
func (r *Rate) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*r = 0
		return nil
	}
	n, ok := parseRate(text)
	if !ok {
		return invalidf("got %s; want auto, or a number from 0.01 to 1000", quote(string(text)))
	}
	*r = Rate(n)
	return nil
}

func parseRate(text []byte) (n float64, ok bool) {
	n, err := strconv.ParseFloat(string(text), 64)
	return n, err == nil && n >= leastRate && n <= mostRate // NaN is neither
}

// String is the setting as UnmarshalText takes it.
func (r Rate) String() string {
	if r == 0 {
		return "auto"
	}
	return strconv.FormatFloat(float64(r), 'g', -1, 64)
}

// PostRate is the most requests a second; 0 stands for no limit.
type PostRate float64

// UnmarshalText takes a number. The library also calls it for a variable that is not set, with an empty text.
func (r *PostRate) UnmarshalText(text []byte) error {
	if len(text) == 0 || string(text) == "0" {
		*r = 0
		return nil
	}
	n, ok := parseRate(text)
	if !ok {
		return invalidf("got %s; want 0 for no limit, or a number from 0.01 to 1000", quote(string(text)))
	}
	*r = PostRate(n)
	return nil
}

// Listen is an address to listen on, host:port; "" stands for none.
type Listen string

// UnmarshalText takes an address with a numeric port, or "off".
func (l *Listen) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*l = ""
		return nil
	}
	_, port, err := net.SplitHostPort(string(text))
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return invalidf("got %s; want an address such as :9090 or 127.0.0.1:9090, or off", quote(string(text)))
	}
	*l = Listen(text)
	return nil
}

// Textfile is the path of a file for node_exporter; "" if none is set.
type Textfile string

// UnmarshalText takes an absolute path that ends with .prom: node_exporter reads no other file. The library also calls it for a
// variable that is not set, with an empty text.
func (t *Textfile) UnmarshalText(text []byte) error {
	path := string(text)
	if path != "" && (!filepath.IsAbs(path) || filepath.Ext(path) != ".prom") {
		return invalidf("got %s; want an absolute path that ends with .prom", quote(path))
	}
	*t = Textfile(path)
	return nil
}
