package webhook

import (
	"slices"

	"houndtrail/checkpoint"
	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/window"
	"houndtrail/sink"
)

// A progress is what the receiver has acknowledged of a window whose delivery failed. The next attempt goes on behind it:
// a record that the receiver cannot read would else make it get the ones before it in every cycle.
type progress struct {
	window  window.Window
	stamps  []sink.Stamp
	objects []checkpoint.Object
}

// of tells whether it is the progress of a window.
func (p *progress) of(w window.Window) bool {
	return p != nil && p.window.Start.Equal(w.Start) && p.window.Pass == w.Pass
}

// goOn is what counts of the progress for an attempt at a window, and which of its records are left to deliver. If one that
// was delivered is not in the window any more, or it is another window, nothing counts. Only what is returned is changed.
func (p *progress) goOn(w window.Window, records []bloodhound.Record) (progress, []bloodhound.Record) {
	if !p.of(w) || len(p.stamps) > len(records) {
		return progress{}, records
	}
	type key struct{ id, micro int64 }
	done := make(map[key]bool, len(p.stamps))
	for _, s := range p.stamps {
		done[key{s.ID, s.CreatedAt.UnixMicro()}] = true
	}
	var rest []bloodhound.Record
	for i := range records {
		if !done[key{records[i].ID, records[i].CreatedAt.UnixMicro()}] {
			rest = append(rest, records[i])
		}
	}
	if len(rest)+len(p.stamps) != len(records) {
		return progress{}, records
	}
	return *p, rest
}

// progress is how far the mailing came: its batches are delivered in the order of its lines.
func (m *mailing) progress(done checkpoint.Receipt) *progress {
	stamps := slices.Clone(m.earlier.stamps)
	for _, l := range m.lines[:delivered(&done)-len(stamps)] {
		stamps = append(stamps, l.Stamp)
	}
	if len(stamps) == 0 {
		return nil
	}
	return &progress{window: m.window, stamps: stamps, objects: done.Objects}
}
