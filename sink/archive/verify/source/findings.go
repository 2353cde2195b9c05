package source

import (
	"fmt"
	"strings"

	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// Findings returns the result of a comparison for the report of the verification. Only missing records are an error.
func (r *Result) Findings(stream string) (all []verify.Finding) {
	add := func(code verify.Code, severity verify.Severity, format string, args ...any) {
		all = append(all, verify.Finding{Code: code, Severity: severity, Stream: stream, Text: fmt.Sprintf(format, args...)})
	}
	for run := range r.runs() {
		first, last := run[0], run[len(run)-1]
		when := "On " + first.Day
		if len(run) > 1 {
			when = fmt.Sprintf("On %d days from %s to %s", len(run), first.Day, last.Day)
		}
		var archive, least, most int64
		for _, d := range run {
			archive, least, most = archive+d.Archive, least+d.AtLeast, most+d.AtMost
		}
		numbers := fmt.Sprintf("the archive has %d records, and the server counts %s", archive, between(least, most))
		switch first.State {
		case Missing:
			add(verify.SourceMore, verify.Error, "%s, %s: the archive lacks at least %d.%s", when, numbers, first.Missing, r.details(first))
		case More:
			add(verify.SourceFewer, verify.Info, "%s, %s: the server has dropped a part of them (retention), or lost them.", when, numbers)
		case Dropped:
			add(verify.SourceDropped, verify.Info, "%s, the archive has %d records, and the server has none any more that is as old: it has "+
				"dropped them (retention).", when, archive)
		case Explained:
			add(verify.SourceExplained, verify.Info, "%s, %s. %s", when, numbers, first.Why)
		case Pending:
			add(verify.SourcePending, verify.Info, "%s, %s. %s", when, numbers, first.Why)
		case NotCompared:
			add(verify.SourceUnchecked, verify.Info, "%s, %s. That was not compared: %s", when, numbers, first.Why)
		case Uncounted:
			add(verify.SourceUncounted, verify.Warning, "%s, %s: whether records are missing is not known. %s", when, numbers, first.Why)
		case Equal:
		}
	}
	if r.Before > 0 {
		add(verify.SourceBefore, verify.Info, "Records that the server has from before %s, with which the archive begins: %d. The archive is "+
			"not meant to have them.", stamp(r.From), r.Before)
	}
	if r.After > 0 {
		add(verify.SourcePending, verify.Info, "Records that the server has from %s on, the stream's position: %d. They are not due yet.",
			stamp(r.Until), r.After)
	}
	return all
}

// runs groups the neighbouring days with the same state and the same reason. Each day that lacks records is a group of its own.
func (r *Result) runs() func(yield func([]Day) bool) {
	return func(yield func([]Day) bool) {
		for days := r.Days; len(days) > 0; {
			n := 1
			for n < len(days) && days[0].State != Missing && days[n].State == days[0].State && days[n].Why == days[0].Why {
				n++
			}
			if !yield(days[:n]) {
				return
			}
			days = days[n:]
		}
	}
}

// details returns the other facts about a day that lacks records.
func (r *Result) details(d Day) (text string) {
	if len(d.IDs) > 0 {
		text = " Not in the archive: id " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(d.IDs)), ", "), "[]") + "."
		if int64(len(d.IDs)) < d.Missing {
			text = strings.TrimSuffix(text, ".") + ", and others."
		}
	}
	if d.Why != "" {
		text += " " + d.Why
	}
	if d.Day >= r.Cursor.UTC().Format("2006-01-02") && r.Until.After(r.Cursor) {
		text += " The stream's position is " + stamp(r.Cursor) + ", so its runs are late: houndtrail status tells why."
	}
	return text
}

// between writes the server's number in words.
func between(least, most int64) string {
	if least == most {
		return fmt.Sprint(least)
	}
	return fmt.Sprintf("between %d and %d", least, most)
}

// String is the comparison in one sentence.
func (r *Result) String() string {
	if len(r.Days) == 0 {
		return fmt.Sprintf("Compared with %s: neither side has a record of the time that was asked for.", r.Server)
	}
	parts := []string{fmt.Sprintf("Compared with %s: %d days with records.", r.Server, len(r.Days))}
	for _, s := range []struct {
		State
		words string
	}{
		{Equal, "As many records as the server counts"},
		{Missing, "RECORDS MISSING in the archive"},
		{Uncounted, "NOT counted"},
		{More, "More records than the server has left"},
		{Dropped, "Dropped by the server"},
		{Explained, "Fewer records, as the journal explains"},
		{Pending, "Still to be completed by the next run"},
		{NotCompared, "Not compared"},
	} {
		if n := r.Of(s.State); n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d.", s.words, n))
		}
	}
	return strings.Join(parts, " ")
}
