package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// longest bounds a text that others wrote, in characters.
const longest = 600

// plain returns a text that others wrote without signs that a reader cannot see, in one line. It cuts a long one.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return '.'
	}, s)
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return s
}

// comma writes a number in groups of three digits.
func comma(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return comma(n) + " " + what + "s"
}

// span writes a duration with its two largest units.
func span(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 10*time.Minute:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%s d %02d h", comma(int64(d.Hours())/24), int(d.Hours())%24)
	}
}

// about writes a duration with its largest unit, for a sentence.
func about(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < 2*time.Minute:
		return plural(int64(d.Seconds()), "second")
	case d < 2*time.Hour:
		return plural(int64(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return plural(int64(d.Hours()), "hour")
	default:
		return plural(int64(d.Hours())/24, "day")
	}
}

// clock writes a time of today without its date.
func clock(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if t.IsZero() {
		return "-"
	}
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format("2006-01-02 15:04:05")
}
