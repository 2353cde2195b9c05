package config

import "github.com/houndtrail/houndtrail/sink/webhook/expect"

// Expect is what the receiver's answer must say for a batch to count as delivered.
type Expect struct {
	expect.Expectation
}

// UnmarshalText takes what [expect.Parse] takes. The library also calls it for a variable that is not set, with an empty
// text.
func (e *Expect) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		return nil
	}
	if e.Expectation, err = expect.Parse(string(text)); err != nil {
		return invalidf("got %s; %s", quote(string(text)), err)
	}
	return nil
}
