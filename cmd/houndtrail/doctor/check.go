package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// limit is the longest time of one check.
const limit = 30 * time.Second

// A check looks at one property of a subject, for example a store. It returns no row if it does not apply to this subject.
type check[Subject any] struct {
	name  string
	about string                               // the property that it looks at, for the documents
	needs []string                             // checks that must succeed first, by their name here, or as group/name
	after []string                             // checks for whose end it waits, with any result
	run   func(Subject, context.Context) []Row // a method of the subject
}

// A node is a check that is bound to one subject.
type node struct {
	group, place, name string
	needs, after       []string // in the form group/name
	run                func(ctx context.Context) []Row

	done chan struct{} // closed when rows is complete
	rows []Row
}

// bind makes the nodes of a subject.
func bind[Subject any](group, place string, s Subject, checks []check[Subject]) (nodes []*node) {
	whole := func(names []string) (ids []string) {
		for _, name := range names {
			if !strings.Contains(name, "/") {
				name = group + "/" + name
			}
			ids = append(ids, name)
		}
		return ids
	}
	for _, c := range checks {
		nodes = append(nodes, &node{
			group: group, place: place, name: c.name, needs: whole(c.needs), after: whole(c.after), done: make(chan struct{}),
			run: func(ctx context.Context) []Row { return c.run(s, ctx) },
		})
	}
	return nodes
}

// examine runs all nodes, each as soon as the nodes for which it waits have ended. It returns their rows in the order of the nodes.
func examine(ctx context.Context, nodes []*node) (rows []Row) {
	var under sync.WaitGroup
	for _, n := range nodes {
		under.Go(func() {
			defer close(n.done)
			n.rows = n.result(ctx, nodes)
			for i := range n.rows {
				n.rows[i].Group, n.rows[i].Check, n.rows[i].Place = n.group, n.name, n.place
			}
		})
	}
	under.Wait()
	for _, n := range nodes {
		rows = append(rows, n.rows...)
	}
	return rows
}

// result waits, and then runs the node. If a node that it needs has not succeeded, it skips the node.
func (n *node) result(ctx context.Context, nodes []*node) []Row {
	root := ""
	for _, other := range nodes {
		id := other.group + "/" + other.name
		needed := slices.Contains(n.needs, id)
		if other == n || !needed && !slices.Contains(n.after, id) {
			continue
		}
		<-other.done
		if i := slices.IndexFunc(other.rows, func(r Row) bool { return r.State == Fail || r.State == Skipped }); needed && i >= 0 && root == "" {
			root = cmp.Or(other.rows[i].root, other.group+" "+other.name)
		}
	}
	if root != "" {
		return []Row{{State: Skipped, Seen: "not looked at, since this check did not succeed: " + root, root: root}}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	return n.run(ctx)
}

// A State says how a check ended.
type State string

// The states of a check.
const (
	OK      State = "ok"
	Warn    State = "warn"    // a run works, but a person should know this
	Fail    State = "fail"    // a run fails, or leaves out a part of its work
	Skipped State = "skipped" // the check could not look: Seen says why
)

// A Row is the result of a check. doctor -o json prints its JSON: later versions only add keys.
type Row struct {
	Group  string         `json:"group"`
	Check  string         `json:"check"`
	Place  string         `json:"place,omitempty"` // the address, without secrets
	State  State          `json:"state"`
	Seen   string         `json:"seen"`
	Advice string         `json:"advice,omitempty"`
	Code   stream.Outcome `json:"exit_code,omitempty"` // the exit code of a run that ends because of it

	err  error  // the error of a row that fails
	root string // the check whose failure skipped this one; "" if this one was made
}

func okf(format string, args ...any) []Row {
	return []Row{{State: OK, Seen: fmt.Sprintf(format, args...)}}
}

func warn(seen, advice string) []Row { return []Row{{State: Warn, Seen: seen, Advice: advice}} }

func skipped(why string) []Row { return []Row{{State: Skipped, Seen: why}} }

// named finds the name of a variable.
var named = regexp.MustCompile(`[A-Z0-9]+_[A-Z0-9_]+`)

// fail makes the row of an error. The error decides the exit code. advice is for an error without advice of its own, or whose own
// advice names no setting.
func fail(err error, advice string) []Row {
	seen, own := told(err)
	switch {
	case own == "":
		own = advice
	case !named.MatchString(own):
		own += "; " + advice
	}
	return failAs(err, seen, own)
}

// failAs is fail with words that fit a row better than the error's words.
func failAs(err error, seen, advice string) []Row {
	return []Row{{State: Fail, Seen: seen, Advice: advice, Code: stream.OutcomeOf(err), err: err}}
}

// wrong is fail for a setting with which a run cannot work.
func wrong(seen, advice string) []Row { return fail(stream.Usage(errors.New(seen)), advice) }

// at gives an error the stage of a run in which it happens. The stage decides the exit code.
func at(stage exporter.Stage, err error) error { return stream.At(stage, err) }

// told divides an error into the text of the cause, and the advice.
func told(err error) (seen, advice string) {
	if staged, ok := errors.AsType[*exporter.Error](err); ok {
		err = staged.Err
	}
	seen = strings.ReplaceAll(err.Error(), "\n", "; ")
	if refused := ": " + transport.ProxyAdvice; strings.Contains(seen, refused) {
		return strings.Replace(seen, refused, "", 1), transport.ProxyAdvice
	}
	if e, ok := errors.AsType[*webhook.StatusError](err); ok {
		return toldByReceiver(seen, e)
	}
	if e, ok := errors.AsType[*rest.Error](err); ok && e.Advice != "" {
		return strings.Replace(seen, "; "+e.Advice, "", 1), e.Advice
	}
	if e, ok := errors.AsType[interface {
		error
		Remedy() string
	}](err); ok && e.Remedy() != "" {
		return strings.Replace(seen, ": "+e.Remedy(), "", 1), e.Remedy()
	}
	return seen, ""
}

// toldByReceiver is told for a receiver's answer. The advice comes after the first colon outside of the answer itself.
func toldByReceiver(seen string, e *webhook.StatusError) (_, advice string) {
	begin := strings.Index(seen, e.Error())
	if begin < 0 {
		return seen, ""
	}
	if answer := strings.Index(seen[begin:], strconv.Quote(e.Answer)); answer > 0 {
		begin += answer + len(strconv.Quote(e.Answer))
	}
	cut := strings.Index(seen[begin:], ": ")
	if cut < 0 {
		return seen, ""
	}
	return seen[:begin+cut], seen[begin+cut+len(": "):]
}

// A FailedError says at the end that checks failed. The rows have already told each failure.
type FailedError struct{ failed []Row }

// Failed returns the error of the failed rows; nil if there are none.
func Failed(rows []Row) error {
	e := &FailedError{}
	for _, r := range rows {
		if r.State == Fail {
			e.failed = append(e.failed, r)
		}
	}
	if len(e.failed) == 0 {
		return nil
	}
	return e
}

func (e *FailedError) Error() string {
	first := e.failed[0].Group + " " + e.failed[0].Check
	if n := len(e.failed); n > 1 {
		return fmt.Sprintf("%d checks failed, the first one is: %s", n, first)
	}
	return "a check failed: " + first
}

// Unwrap returns the error of each row. So the exit code is the one that most needs a person.
func (e *FailedError) Unwrap() (all []error) {
	for _, r := range e.failed {
		all = append(all, r.err)
	}
	return all
}
