package status

import (
	"errors"
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/anchor"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/config/setting"
)

// An anchorState tells about the heads that are remembered elsewhere.
type anchorState struct {
	Status  string   `json:"status"` // ok, none, unknown or differs
	Size    uint64   `json:"size"`   // the number of entries under the newest remembered head; 0 for none
	Age     *float64 `json:"age_seconds,omitempty"`
	Problem string   `json:"problem,omitempty"`
}

// The words of an anchorState.
const (
	anchorOK      = "ok"      // the newest remembered head is one of this journal
	anchorNone    = "none"    // no head is remembered yet
	anchorUnknown = "unknown" // the place does not answer, or the journal itself cannot be read
	anchorDiffers = "differs" // a person rolled the journal back, or forked it
)

// knows takes each report about the journal's anchors. The first report is the zero value.
func (s *Row) knows(r anchor.Report) {
	switch {
	case s.Anchor == nil:
		s.Anchor = &anchorState{Status: anchorUnknown}
	case r.Err != nil:
		s.Anchor = &anchorState{Status: anchorUnknown, Problem: oneLine(r.Err)}
	case r.Size == 0:
		s.Anchor = &anchorState{Status: anchorNone}
	default:
		age := r.Age.Seconds()
		s.Anchor = &anchorState{Status: anchorOK, Size: r.Size, Age: &age}
	}
}

// differs takes the error of the look at the journal.
func (s *Row) differs(err error) {
	if s.Anchor != nil && (errors.Is(err, checkpoint.ErrRolledBack) || errors.Is(err, checkpoint.ErrForked)) {
		s.Anchor = &anchorState{Status: anchorDiffers}
	}
}

// anchorWarning is the text about the anchors that does not fit into a row; "" if there is none.
func (s *Row) anchorWarning(schedule cron.Schedule, now time.Time) string {
	const unknown = "whether the journal was rolled back is not known: "
	a := s.Anchor
	switch {
	case a == nil || a.Status == anchorDiffers:
		return ""
	case a.Status == anchorUnknown && a.Problem != "":
		return unknown + a.Problem
	case a.Status == anchorUnknown:
		return unknown + "the journal itself cannot be read"
	case a.Status == anchorNone && s.Serial > 0:
		return unknown + "no head of it is remembered at " + setting.AnchorURL + " yet"
	case a.Status == anchorOK && a.Size < s.Serial:
		age := time.Duration(*a.Age * float64(time.Second))
		if anchor.Late(schedule, age, now) {
			return fmt.Sprintf("the newest head that is remembered at %s is %s old, and the journal has %d entries since then: the log of "+
				"the runs tells the reason", setting.AnchorURL, show.Duration(age), s.Serial-a.Size)
		}
	}
	return ""
}
