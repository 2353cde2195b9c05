package bloodhound

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// down is a server that breaks down over n requests after some others.
func down(after, n int) bloodhoundtest.Fault {
	steps := slices.Repeat([]bloodhoundtest.Fault{faults.InternalError()}, n)
	return faults.Sequence(append(make([]bloodhoundtest.Fault, after), steps...)...)
}

// If a server breaks down over everything, that is an outage, whenever it begins. The client tries one request as often as the
// retry policy says, with its pauses, and blames no row. With the requests beside it, that is at most twice as many requests.
func TestOutageIsTriedAsUsual(t *testing.T) {
	start := shelfStart()
	for _, after := range []int{0, 1, 5, 20, 30} {
		for _, quarantine := range []bool{false, true} {
			server := everyMinute(start, 100).serve(bloodhoundtest.V84)
			server.Fault(down(after, 1000))
			_, err := readSpan(t, reads(t, server, quarantine), start, start.Add(shelvedFor))
			if e := asError(t, err); e.Kind != rest.Server || e.Status != http.StatusInternalServerError {
				t.Errorf("after %d answers: %v", after, err)
			}
			resttest.WantText(t, err, "gave up after 8 tries")
			if bad, ok := errors.AsType[*BadRecordError](err); ok {
				t.Errorf("after %d answers a row is blamed: %v", after, bad)
			}
			if n := resttest.RequestsFor(server, AuditPath) - after; n < 8 || n > 16 {
				t.Errorf("%d requests after %d answers", n, after)
			}
			tried := 0
			for _, r := range server.Requests()[after:] {
				if r.Target == server.Requests()[after].Target {
					tried++
				}
			}
			if tried != 8 {
				t.Errorf("one request was tried %d times after %d answers", tried, after)
			}
		}
	}
}

// The pauses of an outage are those of the policy: the client gives up only after an outage of some length.
func TestOutageTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Connection: rest.Options{Transport: resttest.Can(500, resttest.Complain("an internal error has occurred"))}})
		began := time.Now()
		_, err := c.Fetch(t.Context(), epoch, epoch.Add(time.Hour), Limits{})
		resttest.WantText(t, err, "gave up after 8 tries")
		if took := time.Since(began); took < 20*time.Second {
			t.Errorf("it was given up after %s", took)
		}
	})
}

// The client goes on after an outage that ends, whenever it began. If it began in a search for a bad row, the client still names
// the right row.
func TestOutageIsOutlived(t *testing.T) {
	start := shelfStart()
	span := shelved{bad: []int{20}}
	for i := range 40 {
		span.at = append(span.at, start.Add(time.Duration(i)*35*time.Minute))
	}
	for after := 0; after < 80; after += 2 {
		server := span.serve(bloodhoundtest.V84)
		server.Fault(down(after, 7))
		_, err := readSpan(t, reads(t, server, false), start, start.Add(shelvedFor))
		if bad, ok := errors.AsType[*BadRecordError](err); !ok || !bad.CreatedAt.Equal(span.at[20]) {
			t.Errorf("an outage after %d requests: %v", after, err)
		}
		server = span.serve(bloodhoundtest.V84)
		server.Fault(down(after, 7))
		got, err := readSpan(t, reads(t, server, true), start, start.Add(shelvedFor))
		if err == nil {
			err = span.differs(got)
		}
		if err != nil {
			t.Errorf("an outage after %d requests: %v", after, err)
		}
	}
}

// With a policy that allows few tries, the client still finds the row.
func TestBadRowWithFewTries(t *testing.T) {
	start := shelfStart()
	span := everyMinute(start, 777)
	for _, tries := range []uint{1, 2} {
		options := reads(t, span.serve(bloodhoundtest.V84), true).options
		options.Connection.Retry.Tries = tries
		c := newClient(t, options)
		got, err := readSpan(t, c, start, start.Add(shelvedFor))
		if err == nil {
			err = span.differs(got)
		}
		if err != nil {
			t.Errorf("%d tries: %v", tries, err)
		}
	}
}
