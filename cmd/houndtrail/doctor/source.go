package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// The causes that only this examination finds.
var (
	errApart    = errors.New("the clocks are too far apart")
	errExpired  = errors.New("the JWT has expired")
	errNotGiven = errors.New("the role does not give the permission")
)

// mostSkew is the difference of the clocks at which BloodHound begins to refuse signed requests.
const mostSkew = time.Hour

// A source is BloodHound. A check fills in a field before the checks that need it.
type source struct {
	*patient
	way    way
	client *bloodhound.Client
	clock  bloodhound.Reading
	traits bloodhound.Traits
}

func newSource(p *patient) *source {
	b := p.config.BloodHound
	s := &source{patient: p}
	s.way.setting, s.way.authority, s.way.stage = setting.BloodHoundURL, setting.BloodHoundCAFile, exporter.StageSource
	if b.URL != "" {
		s.way.server, s.way.url = b.URL.URL().Host, string(b.URL)
	}
	return s
}

func sourceChecks() []check[*source] {
	return []check[*source]{
		{name: "proxy", about: "the proxy on the way, if there is one, lets a request without credentials through", run: (*source).proxy},
		{name: "address", about: "the name is known, and the address takes connections", needs: []string{"proxy"}, run: (*source).address},
		{
			name: "certificate", about: "TLS: the chain is trusted, fits the name, and does not end soon",
			needs: []string{"address"}, run: (*source).certificate,
		},
		{
			name: "clock", about: "BloodHound's clock and this machine's are at most a minute apart",
			needs: []string{"certificate"}, run: (*source).clocks,
		},
		{name: "credentials", about: "the way to log in; a JWT has not expired", run: (*source).credentials},
		{
			name: "login", about: "BloodHound accepts the credentials, and tells its version",
			needs: []string{"certificate", "credentials"}, run: (*source).login,
		},
		{
			name: "role", about: "the user may read the audit log, and has no more rights than that",
			needs: []string{"login"}, run: (*source).role,
		},
		{name: "audit log", about: "the audit log answers, and obeys the bounds of time", needs: []string{"login"}, run: (*source).log},
		{
			name: "oldest", about: "the oldest record, and how long BloodHound keeps records",
			needs: []string{"audit log"}, run: (*source).oldest,
		},
		{
			name: "count", about: "BloodHound counts its records, and obeys the filter by time",
			needs: []string{"audit log"}, run: (*source).count,
		},
		{name: "quirks", about: "habits of this build of the server", needs: []string{"audit log"}, run: (*source).quirks},
	}
}

// proxy makes the client, and sends the one request whose result the next checks read.
func (s *source) proxy(ctx context.Context) []Row {
	if s.config.BloodHound.URL == "" {
		return skipped("not looked at: " + setting.BloodHoundURL + " is not usable")
	}
	if rows := s.unless("BLOODHOUND_CA_FILE", "BLOODHOUND_INSECURE", "BLOODHOUND_URL"); rows != nil {
		return rows
	}
	var err error
	if s.client, err = s.newClient(); err != nil {
		return fail(err, "correct the settings that begin with "+config.Prefix+"BLOODHOUND_")
	}
	s.clock, s.way.err = s.client.Clock(s.way.watch(ctx))
	return s.way.proxyRow()
}

// newClient makes the client of a run. If no login is set, the client can only send requests without a login.
func (s *source) newClient() (*bloodhound.Client, error) {
	if s.config.BloodHound.Auth() != config.AuthNone {
		return s.set().Source(nil)
	}
	b := s.config.BloodHound
	return bloodhound.New(bloodhound.Options{Connection: rest.Options{
		URL: b.URL.URL(), CAFile: string(b.CA), Insecure: b.Insecure, Auth: rest.Bearer(b.JWT.Value), Wait: b.Wait,
		Retry: rest.RetryPolicy{Elapsed: s.process.Patience, Interactive: true}, UserAgent: "houndtrail/" + s.process.Version,
	}})
}

func (s *source) address(context.Context) []Row     { return s.way.addressRow() }
func (s *source) certificate(context.Context) []Row { return s.way.certificateRow(s.set().Now()) }

// clocks compares the clocks. Every answer has a Date.
func (s *source) clocks(context.Context) []Row {
	if s.way.err != nil {
		return fail(at(exporter.StageSource, s.way.err), "check "+setting.BloodHoundURL)
	}
	skew := s.clock.Server.Sub(s.set().Now())
	way := "ahead of"
	if skew < 0 {
		way = "behind"
	}
	seen := fmt.Sprintf("BloodHound's clock says %s, and is %s %s this machine's", show.Second(s.clock.Server), show.Duration(skew.Abs()), way)
	const advice = "set the wrong clock right (NTP); Houndtrail goes by the earlier one"
	switch {
	case skew.Abs() >= mostSkew && s.config.BloodHound.Auth() == config.AuthToken:
		return failAs(at(exporter.StageSource, errApart), seen+", and BloodHound refuses signed requests that are an hour off", advice)
	case skew.Abs() > exporter.Apart:
		return warn(seen, advice)
	}
	return []Row{{State: OK, Seen: seen}}
}

// credentials looks at the credentials, and sends no request.
func (s *source) credentials(context.Context) []Row {
	b := s.config.BloodHound
	if rows := s.unless("BLOODHOUND_TOKEN", "BLOODHOUND_JWT", "BLOODHOUND_USERNAME", "BLOODHOUND_PASSWORD"); rows != nil {
		return rows
	}
	switch b.Auth() {
	case config.AuthToken:
		return okf("an API token, which does not expire by itself")
	case config.AuthPassword:
		return okf("a user name and a password; each login is an audit record of its own")
	case config.AuthNone:
		return skipped("not looked at: no way to log in is configured")
	default:
		return s.jwt()
	}
}

// jwt tells when the session ends, by this machine's clock.
func (s *source) jwt() []Row {
	b := s.config.BloodHound
	jwt, err := b.JWT.Value()
	if err != nil {
		return fail(err, "correct "+setting.BloodHoundJWT)
	}
	const advice = "a JWT is for tests only: set " + setting.BloodHoundTokenID + " and " + setting.BloodHoundTokenKey +
		" in place of " + setting.BloodHoundJWT
	_, expires, ok := rest.Life(jwt)
	if !ok {
		return warn("a JWT that tells no expiry", advice)
	}
	now := s.set().Now()
	if !expires.After(now) {
		return failAs(at(exporter.StageSource, errExpired), "a JWT that expired at "+show.Second(expires),
			"set a new "+setting.BloodHoundJWT+"; "+advice)
	}
	return warn(fmt.Sprintf("a JWT that expires at %s, in %s", show.Second(expires), show.Duration(expires.Sub(now))), advice)
}

func (s *source) failed(err error, advice string) []Row {
	return fail(at(exporter.StageSource, err), advice)
}

func (s *source) login(ctx context.Context) []Row {
	version, err := s.client.Version(ctx)
	switch {
	case err != nil:
		return s.failed(err, "check "+s.loginSettings())
	case version == "":
		return okf("the credentials are accepted; BloodHound tells no version")
	}
	return okf("the credentials are accepted; BloodHound says that it is %s", version)
}

func (s *source) loginSettings() string {
	switch s.config.BloodHound.Auth() {
	case config.AuthToken:
		return setting.BloodHoundTokenID + " and " + setting.BloodHoundTokenKey
	case config.AuthPassword:
		return setting.BloodHoundUsername + " and " + setting.BloodHoundPassword
	default:
		return setting.BloodHoundJWT
	}
}

// The permissions that let a user read the audit log: since v8.4, and before.
const (
	mayRead   = "audit_log/Read"
	mayManage = "auth/ManageUsers"
)

func (s *source) role(ctx context.Context) []Row {
	user, err := s.client.User(ctx)
	if err != nil {
		return s.failed(err, "let no proxy on the way remove the header Authorization; check "+setting.BloodHoundURL)
	}
	seen := fmt.Sprintf("user %q with the role %s and %s", user.Name, strings.Join(user.Roles, ", "),
		several(len(user.Permissions), "permission"))
	reads, manages := slices.Contains(user.Permissions, mayRead), slices.Contains(user.Permissions, mayManage)
	const auditor = "give the user the role Auditor (from v8.4 on), or Administrator (before v8.4)"
	switch {
	case !reads && !manages:
		return failAs(at(exporter.StageSource, errNotGiven), seen+", which do not allow reading the audit log", auditor)
	case reads && manages:
		return warn(seen+", among them to manage users", "least privilege: give the user the role Auditor, and no other")
	}
	return []Row{{State: OK, Seen: seen}}
}
