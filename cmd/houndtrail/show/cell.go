// Package show prints the results of the commands: tables that fit a terminal, JSON of one object a line, and progress.
//
// All times have one form, RFC 3339 in UTC. A table shows whole seconds, and a wide table shows the exact instant. If another
// party may have chosen a text, this package removes characters that a terminal would obey.
package show

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Unknown is a cell without a value.
const Unknown = "-"

// Terminal is the most characters in a line of a table that is not wide.
const Terminal = 80

// longestCell keeps a wide table readable; -o ndjson has everything.
const longestCell = 80

// Cell makes a value safe for a terminal, and short enough for a table.
func Cell(s string) string { return Cut(Safe(s), longestCell) }

// Safe makes a value safe for a terminal. An audited user can choose some values, and must not move the cursor with them.
func Safe(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '.'
		}
		return r
	}, s)
	if s == "" {
		return Unknown
	}
	return s
}

// Cut shortens a text to width characters.
func Cut(s string, width int) string {
	if runes := []rune(s); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return s
}

// Second is an instant in whole seconds, for a table with little room.
func Second(t time.Time) string { return cellOf(t, time.RFC3339) }

// Instant is the exact instant.
func Instant(t time.Time) string { return cellOf(t, time.RFC3339Nano) }

func cellOf(t time.Time, form string) string {
	if t.IsZero() {
		return Unknown
	}
	return t.UTC().Format(form)
}

// Duration writes a duration as people say it: its two largest units, down to a second.
func Duration(d time.Duration) string {
	const day = 24 * time.Hour
	d = d.Round(time.Second)
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	for _, unit := range []struct {
		large, small         time.Duration
		largeName, smallName string
	}{{day, time.Hour, "d", "h"}, {time.Hour, time.Minute, "h", "m"}, {time.Minute, time.Second, "m", "s"}} {
		if d < unit.large {
			continue
		}
		text := fmt.Sprintf("%s%d%s", sign, d/unit.large, unit.largeName)
		if rest := d % unit.large / unit.small; rest > 0 {
			text += fmt.Sprintf("%d%s", rest, unit.smallName)
		}
		return text
	}
	return fmt.Sprintf("%s%ds", sign, d/time.Second)
}
