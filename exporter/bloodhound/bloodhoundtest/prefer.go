package bloodhoundtest

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// patience is how long a request may take, and what the answer says about it.
type patience struct {
	limit   time.Duration
	bounded bool
	applied string // Preference-Applied
}

// prefer reads the Prefer header as one generation does. Its error is what is wrong with the header.
type prefer func(http.Header) (patience, error)

// defaultWait is the deadline of those servers that set one unasked, and the maximum of those that have one.
const defaultWait = 30

func seconds(n int) patience {
	return patience{
		limit:   time.Duration(n) * time.Second,
		bounded: true,
		applied: fmt.Sprintf("wait=%.2f", float64(n)),
	}
}

// preferAlways is 2024: a deadline for everybody, any number taken as it is, so that a negative one has passed.
func preferAlways(h http.Header) (patience, error) {
	n, ok, err := waitOf(h)
	if !ok {
		n = defaultWait
	}
	return seconds(n), err
}

// preferCapped replaces what is above the maximum by the default, in silence.
func preferCapped(h http.Header) (patience, error) {
	n, ok, err := waitOf(h)
	if !ok || n > defaultWait {
		n = defaultWait
	}
	return seconds(n), err
}

// preferAsked is 2026: no deadline unless asked for, and a header without a wait is wrong.
func preferAsked(h http.Header) (patience, error) {
	n, ok, err := waitOf(h)
	switch {
	case err != nil:
		return patience{}, err
	case !ok && h.Get("Prefer") != "", n < -1:
		return patience{}, invalidPrefer(h.Get("Prefer"))
	case n == -1:
		return patience{applied: "wait=-1; bypass=enabled"}, nil
	case n > 0:
		return seconds(n), nil
	default:
		return patience{}, nil
	}
}

var documentedWait = regexp.MustCompile(`^wait=[0-9]+$`)

// preferDocumented takes the published pattern and nothing else; 0 is the documented default.
func preferDocumented(h http.Header) (patience, error) {
	value := h.Get("Prefer")
	if value == "" {
		return patience{}, nil
	}
	n, _, err := waitOf(h)
	if err != nil || !documentedWait.MatchString(value) {
		return patience{}, invalidPrefer(value)
	}
	if n == 0 {
		return patience{}, nil
	}
	return seconds(n), nil
}

// waitOf finds wait=N among the preferences.
func waitOf(h http.Header) (n int, ok bool, err error) {
	for _, line := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
			if !strings.EqualFold(name, "wait") {
				continue
			}
			if n, err = strconv.Atoi(value); err != nil {
				return 0, false, invalidPrefer(value)
			}
			return n, true, nil
		}
	}
	return 0, false, nil
}

func invalidPrefer(value string) *failure {
	return badRequest("Prefer header has an invalid value: " + value)
}
