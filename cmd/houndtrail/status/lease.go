package status

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
)

// The states of a lease.
const (
	leaseFree      = "free"
	leaseHeld      = "held"
	leaseAbandoned = "abandoned" // its holder has ended and did not give the lease back: the next runner takes it
)

// leaseState tells who may write to the stream.
type leaseState struct {
	State   string            `json:"state"`
	Holder  checkpoint.Holder `json:"holder,omitzero"`
	Since   time.Time         `json:"since,omitzero"`
	Expires time.Time         `json:"expires,omitzero"` // unless the holder renews it; left out if the holder's process decides
}

// leaseOf returns the lease at a time. If the lease is bound to a process, only that process's machine can tell whether the
// process still holds it. gone returns true if this is that machine and the process has ended.
func leaseOf(s checkpoint.LeaseStatus, now time.Time, gone func(checkpoint.Holder) bool) leaseState {
	lease := leaseState{State: leaseFree, Holder: s.Holder, Since: s.Since.UTC()}
	switch {
	case s.Held && s.Expires > 0:
		lease.State, lease.Expires = leaseHeld, now.Add(s.Expires).UTC().Truncate(time.Second)
	case s.Held && !gone(s.Holder):
		lease.State = leaseHeld
	case s.Holder != checkpoint.Holder{}:
		lease.State = leaseAbandoned
	}
	return lease
}

// gone tells whether a process of this machine has ended. It is false if this is not known.
func gone(h checkpoint.Holder) bool {
	host, err := os.Hostname()
	switch {
	case err != nil, host == "", h.Host != host, h.PID <= 0:
		return false
	case h.PID == os.Getpid(), zombie(h.PID): // in a container, process numbers are used again, and process 1 may leave zombies
		return true
	}
	process, err := os.FindProcess(h.PID)
	if err != nil {
		return false
	}
	defer func() { _ = process.Release() }() // it holds only a number
	return errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// zombie tells whether a process has ended, but its parent has not yet asked for its exit code. It is false on a system without
// /proc.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" ")) // the name in parentheses may have any character
	return bytes.HasPrefix(state, []byte("Z"))
}

func (l leaseState) cell(now time.Time) string {
	who := holderCell(l.Holder) + " since " + show.Second(l.Since)
	switch {
	case l.State == "":
		return show.Unknown
	case l.State == leaseFree:
		return leaseFree
	case l.State == leaseAbandoned:
		return "free; abandoned by " + who
	case l.Expires.IsZero():
		return "held by " + who + ", while that process runs"
	default:
		return fmt.Sprintf("held by %s; expires in %s unless renewed", who, show.Duration(l.Expires.Sub(now)))
	}
}

// holderCell is safe for a terminal: another program may have written the lease object.
func holderCell(h checkpoint.Holder) string {
	return fmt.Sprintf("houndtrail %s on %s (pid %d)", show.Cell(h.Version), show.Cell(h.Host), h.PID)
}
