package rest

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func TestThrottle(t *testing.T) {
	const fast = 20 * time.Millisecond
	good := func(p *throttle, n int) {
		for range n {
			p.learn(200, nil, fast)
		}
	}
	for name, test := range map[string]struct {
		given float64
		learn func(*throttle)
		want  rate.Limit
	}{
		"at first":                    {0, func(*throttle) {}, firstRate},
		"answers come fast":           {0, func(p *throttle) { good(p, 1) }, 7.5},
		"they do for long":            {0, func(p *throttle) { good(p, 100) }, mostRate},
		"one is slow":                 {0, func(p *throttle) { good(p, 100); p.learn(200, nil, 2*slowAnswer) }, firstRate},
		"the server breaks down":      {0, func(p *throttle) { good(p, 100); p.learn(500, nil, fast) }, firstRate},
		"none comes":                  {0, func(p *throttle) { good(p, 100); p.learn(0, errors.New("reset"), fast) }, firstRate},
		"a refusal of the login":      {0, func(p *throttle) { p.learn(401, nil, fast) }, 7.5},
		"too many":                    {0, func(p *throttle) { good(p, 100); p.learn(429, nil, fast) }, firstRate},
		"it stays below that":         {0, func(p *throttle) { good(p, 100); p.learn(429, nil, fast); good(p, 100) }, 30},
		"too many at the first rate":  {0, func(p *throttle) { p.learn(429, nil, fast); good(p, 100) }, firstRate},
		"given, and answers are fast": {12, func(p *throttle) { good(p, 100) }, 12},
		"given, and too many":         {12, func(p *throttle) { p.learn(429, nil, fast) }, 12},
	} {
		t.Run(name, func(t *testing.T) {
			p := newThrottle(test.given)
			test.learn(p)
			if got := p.limiter.Limit(); got != test.want {
				t.Errorf("%v requests a second, want %v", got, test.want)
			}
		})
	}
}
