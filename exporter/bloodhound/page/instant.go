package page

import "time"

// A latestDay remembers the day of the last instant. Most records of a page are of one day.
type latestDay struct {
	date     [len(time.DateOnly)]byte
	midnight int64 // seconds from 1970 to the start of the day
}

// utc reads an instant as servers write it: RFC 3339, in UTC, with up to 9 fraction digits. It cuts the digits below a
// microsecond. For any other form, ok is false; time.Parse may know that form.
func (d *latestDay) utc(b []byte) (t time.Time, ok bool) {
	const seconds = len("2006-01-02T15:04:05")
	if len(b) <= seconds || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[len(b)-1] != 'Z' {
		return t, false
	}
	if string(b[:len(d.date)]) != string(d.date[:]) {
		midnight, err := time.Parse(time.DateOnly, string(b[:len(d.date)]))
		if err != nil {
			return t, false
		}
		d.date, d.midnight = [len(time.DateOnly)]byte(b), midnight.Unix()
	}
	hour, minute, second := twoDigits(b[11:]), twoDigits(b[14:]), twoDigits(b[17:])
	micro, ok := microseconds(b[seconds : len(b)-1])
	if hour > 23 || minute > 59 || second > 59 || !ok {
		return t, false
	}
	return time.Unix(d.midnight+hour*3600+minute*60+second, micro*1000).UTC(), true
}

// twoDigits is the number that two digits write; more than 99 if they are no digits.
func twoDigits(b []byte) int64 {
	tens, ones := b[0]-'0', b[1]-'0'
	if tens > 9 || ones > 9 {
		return 100
	}
	return int64(tens)*10 + int64(ones)
}

// microseconds reads a point and 1 to 9 digits, or nothing.
func microseconds(b []byte) (n int64, ok bool) {
	if len(b) == 0 {
		return 0, true
	}
	if b[0] != '.' || len(b) < 2 || len(b) > 10 {
		return 0, false
	}
	for i := 1; i < max(len(b), 7); i++ {
		digit := byte(0)
		if i < len(b) {
			digit = b[i] - '0'
		}
		if digit > 9 {
			return 0, false
		}
		if i < 7 {
			n = n*10 + int64(digit)
		}
	}
	return n, true
}

// FormatTime writes an instant as servers write and read it: in UTC, with at most six fraction digits. A query would lose the
// "+" of an offset.
func FormatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z") }
