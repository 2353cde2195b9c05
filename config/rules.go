package config

import (
	"cmp"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Auth is a way to log in to BloodHound.
type Auth int

// The ways to log in. AuthNone is possible only if a command does not need BloodHound.
const (
	AuthNone     Auth = iota
	AuthToken         // TokenID and TokenKey: requests are signed
	AuthJWT           // JWT
	AuthPassword      // Username and Password
)

// Auth is the one way to log in that is configured.
func (b BloodHound) Auth() Auth {
	switch {
	case b.TokenID.IsSet():
		return AuthToken
	case b.JWT.IsSet():
		return AuthJWT
	case b.Username.IsSet():
		return AuthPassword
	}
	return AuthNone
}

var (
	// notTenant matches a character that a tenant's name must not have in an object key.
	notTenant = regexp.MustCompile(`[^A-Za-z0-9._-]`)
	// pasted matches a path that a user copied from a browser or an API call.
	pasted = regexp.MustCompile(`/(api|ui)(/|$)`)
)

// derive fills in the defaults that depend on other settings.
func (l *loader) derive() {
	c := l.config
	if c.Tenant == "" && c.BloodHound.URL != "" {
		c.Tenant = strings.ToLower(c.BloodHound.URL.URL().Hostname())
	}
	c.Tenant = notTenant.ReplaceAllString(c.Tenant, "_")
	if c.Checkpoint.URL == "" && c.Archive.URL != "" {
		c.Checkpoint.URL = c.Archive.URL.Join("checkpoints")
	}
}

// rules checks settings together.
func (l *loader) rules() {
	l.login()
	l.tenant()
	if l.need.has(NeedSource) && !l.given("BLOODHOUND_URL") {
		l.report("BLOODHOUND_URL", "not set; give the server's address, such as https://tenant.example")
	}
	if pasted.MatchString(string(l.config.BloodHound.URL)) {
		l.report("BLOODHOUND_URL", "got %s; leave out what follows the server's address, such as /api/v2 or /ui",
			publicURL(string(l.config.BloodHound.URL)))
	}
	if l.config.BloodHound.Insecure && l.given("BLOODHOUND_CA_FILE") {
		l.report("BLOODHOUND_INSECURE", "set beside %sBLOODHOUND_CA_FILE, which it would make useless; unset it", Prefix)
	}
	if l.config.Webhook.TrustedProxies > 0 && l.config.Webhook.Schema == SchemaNative {
		l.report("WEBHOOK_TRUSTED_PROXIES", "set, but only %sWEBHOOK_SCHEMA=%s or %s has a place for the source's address; set that as well",
			Prefix, SchemaECS, SchemaOCSF)
	}
	l.destinations()
	l.s3()
	l.webhook()
	l.files()
	l.proxies()
}

// mostTenant is the most characters of a tenant's name: the name is a part of file names, which may have 255 bytes.
const mostTenant = 200

// tenant checks the name, whether it is given or taken from the address.
func (l *loader) tenant() {
	if l.need.has(NeedTenant) && !l.given("BLOODHOUND_URL", "TENANT") {
		l.report("TENANT", "not set, nor is %sBLOODHOUND_URL to take it from; give the name that the archive was written under", Prefix)
	}
	if n := len(l.config.Tenant); n > mostTenant {
		l.report("TENANT", "%d characters long; want %d at most, since it is the name of a folder", n, mostTenant)
	}
}

// login allows exactly one way to log in, and none without its second half.
func (l *loader) login() {
	logins := [][]string{
		{"BLOODHOUND_TOKEN_ID", "BLOODHOUND_TOKEN_KEY"},
		{"BLOODHOUND_JWT"},
		{"BLOODHOUND_USERNAME", "BLOODHOUND_PASSWORD"},
	}
	var used [][]string
	for _, login := range logins {
		if !l.filled(login...) {
			continue
		}
		used = append(used, login)
		for _, name := range login {
			if !l.given(name) {
				others := slices.DeleteFunc(slices.Clone(login), func(other string) bool { return other == name })
				l.report(name, "not set, but needed beside %s", all(others))
			}
		}
	}
	const oneOf = "BLOODHOUND_TOKEN_ID and _TOKEN_KEY (recommended), BLOODHOUND_JWT, or BLOODHOUND_USERNAME and _PASSWORD"
	switch {
	case len(used) > 1:
		l.report(used[1][0], "set beside %s; keep one way to log in: %s", all(used[0]), oneOf)
	case len(used) == 0 && l.need.has(NeedLogin) && !l.given(slices.Concat(logins...)...):
		l.report(logins[0][0], "not set; choose one way to log in: %s", oneOf)
	}
}

// destinations checks that the needed places to write to are set.
func (l *loader) destinations() {
	archive, webhook := l.given("ARCHIVE_URL"), l.given("WEBHOOK_URL")
	const example = "such as s3://bucket/houndtrail or file:///var/lib/houndtrail"
	switch {
	case archive:
	case l.need.has(NeedArchive):
		l.report("ARCHIVE_URL", "not set; give the archive's place, %s", example)
	case l.need.has(NeedStream) && !webhook:
		l.report("ARCHIVE_URL", "not set, nor is %sWEBHOOK_URL; give at least one destination, %s", Prefix, example)
	case l.need.has(NeedCheckpoint) && !l.given("CHECKPOINT_URL"):
		l.report("CHECKPOINT_URL", "not set, nor is %sARCHIVE_URL to keep the position beside; give a place, %s", Prefix, example)
	}
}

// s3 checks that settings that need each other are set together.
func (l *loader) s3() {
	s := l.config.S3
	if l.given("S3_KMS_KEY_ID") && s.SSE != SSEKMS {
		l.report("S3_KMS_KEY_ID", "set, but only %sS3_SSE=%s uses a key; set that as well", Prefix, SSEKMS)
	}
	mode, days := l.given("S3_OBJECT_LOCK_MODE"), l.given("S3_OBJECT_LOCK_DAYS")
	if mode && !days {
		l.report("S3_OBJECT_LOCK_DAYS", "not set, but needed beside %sS3_OBJECT_LOCK_MODE", Prefix)
	}
	if days && !mode {
		l.report("S3_OBJECT_LOCK_MODE", "not set, but needed beside %sS3_OBJECT_LOCK_DAYS", Prefix)
	}
}

// files opens the files of the sections that the command will use. Other files need not be there.
func (l *loader) files() {
	used := map[string]bool{
		"BloodHound": l.need.has(NeedLogin),
		"SigningKey": l.need.has(NeedCommit),
		"VerifyKey":  l.need.has(NeedDelivery) && l.config.VerifySchedule.Spec != "",
		"Webhook":    l.need.has(NeedDelivery) && l.config.Webhook.URL.IsSet(),
	}
	for _, f := range l.fields {
		value, ok := reflect.TypeAssert[checkable](f.value)
		name := f.name
		if l.env[name+fileSuffix] != "" {
			name += fileSuffix
		}
		if !ok || !used[f.section] || f.value.IsZero() || quoted(l.env[name]) {
			continue
		}
		if err := value.check(); err != nil {
			l.report(name, "%s", err)
		}
	}
}

// warnings are the settings that Load accepts but does not like.
func (l *loader) warnings() []string {
	c := l.config
	var list []string
	warn := func(name, text string) { list = append(list, Prefix+name+": "+text) }
	receiver, _ := c.Webhook.URL.Value() // the rules have reported a file that a command needs
	webhook, _ := url.Parse(receiver)
	for _, to := range []struct {
		name string
		url  *url.URL
	}{{"BLOODHOUND_URL", c.BloodHound.URL.URL()}, {"S3_ENDPOINT", c.S3.Endpoint.URL()}, {"WEBHOOK_URL", webhook}} {
		if unencrypted(to.url) {
			warn(to.name, "http to "+to.url.Hostname()+" is not encrypted, so anybody on the way can read along; use https")
		}
	}
	if c.BloodHound.Insecure {
		warn("BLOODHOUND_INSECURE", "certificates are not checked; name the authority in "+Prefix+"BLOODHOUND_CA_FILE instead")
	}
	if c.Settle < 5*time.Second {
		warn("SETTLE", c.Settle.String()+" is short: records that appear late are left to the overlap; use 5s or more")
	}
	if c.Overlap < time.Minute {
		warn("OVERLAP", c.Overlap.String()+" is short: records that appear later than that wait for the next rescan; use 1m or more")
	}
	if c.Anchor.URL.beside(c.Checkpoint.URL) {
		warn("ANCHOR_URL", "in the place of the journals: a person who can rewrite the journals there can remove the heads that "+
			"would show it; name another place, best a bucket of another account")
	}
	return append(list, l.idle()...)
}

// idle are the settings of streams and stores that are not turned on.
func (l *loader) idle() []string {
	c := l.config
	_, _, archive := c.Archive.URL.S3()
	_, _, checkpoint := c.Checkpoint.URL.S3()
	_, _, anchor := c.Anchor.URL.S3()
	off := map[string]string{}
	if c.Anchor.URL == "" {
		off["Anchor"] = Prefix + "ANCHOR_URL is not set"
	}
	if c.Archive.URL == "" {
		off["Archive"] = Prefix + "ARCHIVE_URL is not set"
	}
	if !c.Webhook.URL.IsSet() {
		off["Webhook"] = Prefix + "WEBHOOK_URL is not set"
	}
	if !archive && !checkpoint && !anchor {
		off["S3"] = "no URL begins with s3://"
	}
	var list []string
	if c.Archive.URL == "" && c.CompactSchedule.Spec != "" {
		list = append(list, Prefix+"COMPACT_SCHEDULE: has no effect, since "+off["Archive"])
	}
	for _, f := range l.fields {
		if why := cmp.Or(off[f.section], l.otherFormat(f)); why != "" && l.given(f.name) {
			list = append(list, Prefix+f.name+": has no effect, since "+why)
		}
	}
	return list
}

// all joins variables to a list for people.
func all(names []string) string { return Prefix + strings.Join(names, " and "+Prefix) }
