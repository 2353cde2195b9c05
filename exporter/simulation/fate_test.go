package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// A part is one of the services that a process talks to.
type part string

const (
	positions part = "positions"
	objects   part = "objects"
	api       part = "api"
	hook      part = "hook"
)

var parts = []part{positions, objects, api, hook}

// A call is one request of a process to a part.
type call struct {
	part    part
	op, key string
}

// The outcomes of a call.
type kind int

const (
	fine         kind = iota
	refused           // no effect, and an error at once
	unheard           // its effect, and an error at once
	timedOut          // no effect, an error after a long silence
	unheardLate       // its effect, and an error after a long silence
	slow              // its effect and its answer, both after a long silence
	delayed           // an error after a long silence; the effect comes when the caller no longer waits
	repeated          // the transport sends it twice, because the first answer was lost, and returns the second answer
	killedBefore      // the process dies, without the effect
	killedAfter       // the process dies, with the effect
	frozen            // the process stands still past its lease, and continues with this call
	faulty            // a fault that only this part has
	kinds
)

func (k kind) String() string {
	return [...]string{
		"fine", "refused", "done, answer lost", "timed out", "done, timed out", "slow", "timed out, done later",
		"done twice", "KILLED before it", "KILLED after it", "FROZEN before it", "faulty",
	}[k]
}

// A fate is the outcome of one call. A hash of the seed, the process, the call and its moment decides it. So it does not depend on
// earlier calls.
type fate struct {
	kind    kind
	travel  time.Duration // until the effect
	silence time.Duration
	fault   fault
	lands   bool // it has its effect even if its sender gives up or dies on the way
}

func (f fate) String() string {
	text := f.kind.String()
	if f.kind == faulty {
		text = f.fault.name
	}
	if f.silence > 0 {
		text += fmt.Sprintf(" (%s)", f.silence.Round(time.Second))
	}
	return text
}

// A fault is a fault that only one part can have.
type fault struct {
	name   string
	api    bloodhoundtest.Fault
	status int  // the receiver's status
	taken  bool // it has taken the batch nevertheless
}

var (
	errReset   = errors.New("connection reset by peer")
	errTimeout = fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)
	errDead    = errors.New("this process is dead")
)

// decide returns the call's fate.
func (p *process) decide(c call) fate {
	p.mu.Lock()
	odds := p.odds[c.part]
	doom := p.doom
	p.mu.Unlock()
	r := p.dice(p.name+string(c.part)+c.op+c.key, uint64(rounded(time.Now()).UnixMicro()))
	f := fate{travel: time.Millisecond + upTo(r, 20*time.Millisecond), lands: r.IntN(2) == 0}
	switch chance := r.IntN(1000); {
	case chance < doom:
		f.kind = pick(r, killedBefore, killedAfter, frozen)
	case chance < doom+odds:
		f.kind = pick(r, p.possible(c)...)
	case p.stillborn && p.isCommit(c) && strings.HasSuffix(c.key, firstEntry) && chance < 600 && doom+odds > 0:
		f.kind = pick(r, killedBefore, killedBefore, refused)
	case p.lingers && doom+odds > 0 && p.isCommit(c) && chance < 700 && p.hasHistory(c): // a person has no odds
		f.kind = pick(r, killedBefore, refused)
	case p.isSet(c) && chance < 300 && doom+odds > 0: // then the set is there, and its entry is not
		f.kind = pick(r, killedBefore, killedAfter, refused, unheard)
	case p.isCommit(c) && chance < 2*(doom+odds): // the most dangerous call of all
		f.kind = pick(r, p.hardships()...)
	}
	switch f.kind {
	case timedOut, unheardLate, slow:
		f.silence = 10 * time.Second * time.Duration(1+r.IntN(5))
	case delayed:
		f.silence = 10*time.Second + upTo(r, 4*time.Minute)
	case frozen:
		f.silence = p.ttl + upTo(r, 2*p.ttl)
	case faulty:
		f.fault = p.fault(c, r)
	default:
	}
	if c.part == hook && f.silence > 0 && f.kind != frozen {
		// See postman. No two batches hear of it at the same moment: otherwise the scheduler would decide which is first.
		f.silence = 10*time.Second + upTo(r, time.Millisecond)
	}
	return f
}

// possible returns the ways in which a call of this part can go wrong.
func (p *process) possible(c call) []kind {
	ways := []kind{refused, timedOut, slow}
	switch {
	case c.part == api:
		return append(ways, unheard, faulty, faulty, faulty, faulty, faulty, faulty)
	case c.part == hook:
		return append(ways, unheard, unheardLate, delayed, faulty, faulty)
	case c.op != opPut:
		return ways
	case p.locks: // a directory does no work after the call has returned
		return append(ways, unheard, unheardLate)
	default:
		return append(ways, unheard, unheardLate, delayed, repeated)
	}
}

// firstEntry is the end of the key of a journal's first entry.
const firstEntry = "00001.json"

func (p *process) isCommit(c call) bool {
	return c.part == positions && c.op == opPut && path.Ext(c.key) == ".json" && path.Base(c.key) != "lease.json"
}

// hasHistory tells whether the call is of a stream that still has to walk over records that came to light, in the storm.
func (p *process) hasHistory(c call) bool {
	stream, _, _ := strings.Cut(c.key, "/")
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	j := p.journals[stream]
	return j != nil && j.history && !p.calm
}

// isSet tells whether the call writes a set of delivered ids, before the entry that names the set.
func (p *process) isSet(c call) bool {
	return c.part == positions && c.op == opPut && strings.Contains(c.key, "/delivered/")
}

// hardships are the outcomes that a commit has more often than other calls.
func (p *process) hardships() []kind {
	if p.locks {
		return []kind{killedBefore, killedAfter, frozen}
	}
	return []kind{delayed, frozen}
}

// fault draws one of the faults that only this part has.
func (p *process) fault(c call, r *rand.Rand) fault {
	if c.part == hook {
		return pick(r, hookFaults...)
	}
	return pick(r, p.apiFaults()...)
}
