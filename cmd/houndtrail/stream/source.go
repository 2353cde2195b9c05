package stream

import (
	"errors"

	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// Source is the BloodHound that all streams read from.
func (s *Set) Source(o rest.Observer) (*bloodhound.Client, error) {
	b, p := s.config.BloodHound, s.process
	auth, err := authenticator(b)
	if err != nil {
		return nil, Usage(err)
	}
	client, err := bloodhound.New(bloodhound.Options{
		Connection: rest.Options{
			URL: b.URL.URL(), Auth: auth, Rate: float64(b.Rate), Wait: b.Wait,
			CAFile: string(b.CA), Insecure: b.Insecure,
			Idle:      p.Idle,
			Retry:     rest.RetryPolicy{Elapsed: p.Patience, Interactive: p.Interactive},
			UserAgent: "houndtrail/" + p.Version, Log: p.Log, Observer: o,
		},
		PageSize:   b.PageSize,
		Quarantine: s.config.OnBadRecord == config.BadRecordQuarantine,
	})
	if err != nil {
		return nil, Usage(err)
	}
	return client, nil
}

func authenticator(b config.BloodHound) (rest.Authenticator, error) {
	switch b.Auth() {
	case config.AuthToken:
		id, err := b.TokenID.Value()
		return rest.Token(id, b.TokenKey.Value), err
	case config.AuthJWT:
		return rest.Bearer(b.JWT.Value), nil
	case config.AuthPassword:
		name, err := b.Username.Value()
		return rest.Login(name, b.Password.Value), err
	default:
		return nil, errors.New("no way to log in is configured")
	}
}
