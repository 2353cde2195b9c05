package exporter

import "github.com/houndtrail/houndtrail/checkpoint"

// A kind says why Houndtrail walks a span of time, and so what its windows mean for the position.
type kind int

const (
	walkDue      kind = iota // from the position to now
	walkBackfill             // before the stream's start, in a journal of its own: each window counts for itself
	walkRescan               // the last days once more, in search of records that took long to appear
	walkResumed              // windows that another walk has declared and not committed
	walkSearch               // behind the position, because a clock was set back
	walkSearchOn             // the same, after an entry has said that a rescan is owed
	walkHistory              // records that appeared before the start of a stream that has everything
	walkAhead                // records with times later than both clocks
)

// entry is the kind of the entries that the walk commits.
func (k kind) entry() checkpoint.Kind {
	switch k {
	case walkDue, walkBackfill:
		return checkpoint.KindExport
	case walkHistory:
		return checkpoint.KindHistory
	case walkAhead:
		return checkpoint.KindAhead
	default:
		return checkpoint.KindRescan
	}
}

// again tells that the position does not move: every record that is not in the set of delivered ids is new.
func (k kind) again() bool { return k.entry() != checkpoint.KindExport }

// past tells that the journal has no next cycle that looks back, and so remembers no ids.
func (k kind) past() bool { return k == walkBackfill }

// completes tells that the walk does all the work of a rescan.
func (k kind) completes() bool { return k == walkRescan }

// owes tells that a rescan is due after it, whatever the schedule.
func (k kind) owes() bool { return k == walkSearch || k == walkSearchOn }

// quiet tells that a window that brings no new record needs no entry.
func (k kind) quiet() bool { return k == walkSearchOn || k == walkAhead }
