package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/doctor"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

const local = "127.0.0.1"

// nextYear is a late enough end for a certificate.
func nextYear() time.Time { return time.Now().Add(365 * 24 * time.Hour) }

// TestHealthy: in a set-up without a fault, every check that is made is ok, before the first run and after it. doctor leaves no
// file or folder in a directory.
func TestHealthy(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(*clinic){
		"directory": func(*clinic) {},
		"TLS": func(c *clinic) {
			a := newAuthority(c.T)
			c.serve(a.leaf(local, nextYear()))
			c.set("HOUNDTRAIL_WEBHOOK_URL", c.listen(c.siem, a.leaf(local, nextYear()))+"/ingest")
			c.set("HOUNDTRAIL_BLOODHOUND_CA_FILE", a.file(c), "HOUNDTRAIL_WEBHOOK_CA_FILE", a.file(c))
		},
		"S3": func(c *clinic) { c.bucket(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t)
			arrange(c)
			allOK := func(when string) {
				rows, code := c.doctor("--send-test")
				if code != 0 {
					t.Errorf("%s: exit code %d", when, code)
				}
				groups := map[string]int{}
				for _, r := range rows {
					groups[r.Group]++
					if r.State != doctor.OK {
						t.Errorf("%s: %s %s is %s: %s", when, r.Group, r.Check, r.State, r.Seen)
					}
				}
				for _, g := range []string{"settings", "bloodhound", "archive", "journals", "archive stream", "webhook stream", "webhook", "schedule", "machine"} {
					if groups[g] == 0 {
						t.Errorf("%s: the group %s has no row", when, g)
					}
				}
			}
			allOK("before the first run")
			if name == "directory" {
				for _, place := range []string{"HOUNDTRAIL_ARCHIVE_URL", "HOUNDTRAIL_CHECKPOINT_URL"} {
					if _, err := os.Stat(c.dir(place)); !os.IsNotExist(err) {
						t.Errorf("doctor left something in %s: %v", place, err)
					}
				}
			}
			c.once()
			allOK("after a run")
		})
	}
}

// TestBroken: in each of these set-ups, the first row that is not ok is about the cause, and names the setting or the right to
// change.
func TestBroken(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]struct {
		arrange func(*clinic)
		check   string // in the form group/name
		names   string // a name in its advice
		code    int    // 0 for a warning
		flags   []string
	}{
		// Settings.
		"no address":           {func(c *clinic) { c.set("HOUNDTRAIL_BLOODHOUND_URL", "") }, "settings/variables", "HOUNDTRAIL_BLOODHOUND_URL", 2, nil},
		"misspelt variable":    {func(c *clinic) { c.set("HOUNDTRAIL_WEBHOK_URL", "https://x") }, "settings/variables", "HOUNDTRAIL_WEBHOOK_URL", 2, nil},
		"half a login":         {func(c *clinic) { c.set("HOUNDTRAIL_BLOODHOUND_TOKEN_KEY", "") }, "settings/variables", "HOUNDTRAIL_BLOODHOUND_TOKEN_KEY", 2, nil},
		"two logins":           {func(c *clinic) { c.set("HOUNDTRAIL_BLOODHOUND_JWT", "x.y.z") }, "settings/variables", "HOUNDTRAIL_BLOODHOUND_JWT", 2, nil},
		"bad schedule":         {func(c *clinic) { c.set("HOUNDTRAIL_SCHEDULE", "daily") }, "settings/variables", "HOUNDTRAIL_SCHEDULE", 2, nil},
		"no file of a secret":  {withoutSecret, "settings/variables", "HOUNDTRAIL_BLOODHOUND_TOKEN_KEY_FILE", 2, nil},
		"open signing key":     {withOpenKey, "settings/variables", "HOUNDTRAIL_SIGNING_KEY_FILE", 2, nil},
		"no address of proxy":  {func(c *clinic) { c.set("HTTPS_PROXY", "ftp://user:"+proxyPassword+"@proxy") }, "settings/variables", "HTTPS_PROXY", 2, nil},
		"settle is too short":  {func(c *clinic) { c.set("HOUNDTRAIL_SETTLE", "1s") }, "settings/wisdom", "use 5s", 0, nil},
		"start in the future":  {func(c *clinic) { c.set("HOUNDTRAIL_START", "2100-01-01T00:00:00Z") }, "archive stream/together", "HOUNDTRAIL_START", 2, nil},
		"a cycle in two weeks": {func(c *clinic) { c.set("HOUNDTRAIL_SCHEDULE", "@every 336h") }, "schedule/cycles", "HOUNDTRAIL_SCHEDULE", 0, nil},

		// The way to BloodHound.
		"unknown host":        {func(c *clinic) { c.set("HOUNDTRAIL_BLOODHOUND_URL", "http://bloodhound.invalid") }, "bloodhound/address", "HOUNDTRAIL_BLOODHOUND_URL", 3, nil},
		"nothing listens":     {func(c *clinic) { c.set("HOUNDTRAIL_BLOODHOUND_URL", "http://127.0.0.1:1") }, "bloodhound/address", "HOUNDTRAIL_BLOODHOUND_URL", 3, nil},
		"proxy wants a login": {withProxy(http.StatusProxyAuthRequired), "bloodhound/proxy", "HTTPS_PROXY", 3, nil},
		"proxy is down": {func(c *clinic) {
			c.set("HOUNDTRAIL_BLOODHOUND_URL", "https://bloodhound.invalid", "HTTPS_PROXY", "http://127.0.0.1:1")
		}, "bloodhound/proxy", "HTTPS_PROXY", 3, nil},
		"no TLS there":            {withScheme, "bloodhound/certificate", "HOUNDTRAIL_BLOODHOUND_URL", 3, nil},
		"certificate has expired": {withLeaf(local, -time.Hour), "bloodhound/certificate", "renew the server's certificate", 3, nil},
		"certificate ends soon":   {withLeaf(local, 48*time.Hour), "bloodhound/certificate", "renew the server's certificate", 0, nil},
		"certificate of another":  {withLeaf("other.example", time.Hour), "bloodhound/certificate", "HOUNDTRAIL_BLOODHOUND_URL", 3, nil},
		"unknown authority": {
			func(c *clinic) { c.serve(newAuthority(c.T).leaf(local, nextYear())) },
			"bloodhound/certificate", "HOUNDTRAIL_BLOODHOUND_CA_FILE", 3, nil,
		},
		"clock is two hours ahead": {withSkew(2 * time.Hour), "bloodhound/clock", "NTP", 3, nil},
		"clock is minutes behind":  {withSkew(-5 * time.Minute), "bloodhound/clock", "NTP", 0, nil},
		"another website": {func(c *clinic) {
			c.set("HOUNDTRAIL_BLOODHOUND_URL", c.listen(answering(http.StatusOK, "text/html", "<!doctype html><title>Intranet</title>"), nil))
		}, "bloodhound/login", "HOUNDTRAIL_BLOODHOUND_URL", 3, nil},
		"another address redirects": {func(c *clinic) {
			c.source.FaultAt("/api/version", faults.Redirect("https://login.example.com/saml?state="+urlToken))
		}, "bloodhound/login", "HOUNDTRAIL_BLOODHOUND_URL", 3, nil},

		// Credentials and rights at BloodHound.
		"wrong key":       {func(c *clinic) { c.set("HOUNDTRAIL_BLOODHOUND_TOKEN_KEY", "bm90LXRoZS1rZXk=") }, "bloodhound/login", "HOUNDTRAIL_BLOODHOUND_TOKEN_KEY", 3, nil},
		"deleted token":   {func(c *clinic) { c.source.Revoke(tokenID) }, "bloodhound/login", "HOUNDTRAIL_BLOODHOUND_TOKEN_ID", 3, nil},
		"expired JWT":     {withExpiredJWT, "bloodhound/credentials", "HOUNDTRAIL_BLOODHOUND_JWT", 3, nil},
		"a JWT at all":    {withJWT, "bloodhound/credentials", "HOUNDTRAIL_BLOODHOUND_TOKEN_ID", 0, nil},
		"wrong password":  {withWrongPassword, "bloodhound/login", "HOUNDTRAIL_BLOODHOUND_PASSWORD", 3, nil},
		"role is missing": {func(c *clinic) { c.source.AllowAudit(false) }, "bloodhound/role", "Auditor", 3, nil},

		// The audit log.
		"counts and shows nothing": {func(c *clinic) { c.source.Fault(faults.CountWithoutRows(500)) }, "bloodhound/audit log", "HOUNDTRAIL_BLOODHOUND_URL", 6, nil},
		"window is ignored":        {func(c *clinic) { c.source.Fault(faults.IgnoresWindow()) }, "bloodhound/audit log", "proxy or cache", 3, nil},
		"filter is ignored":        {func(c *clinic) { c.source.Fault(faults.CountIgnoresFilters()) }, "bloodhound/count", "HOUNDTRAIL_VERIFY_COUNT", 0, nil},
		"a record is unprintable":  {withUnprintable, "bloodhound/quirks", "HOUNDTRAIL_ON_BAD_RECORD", 0, nil},

		// Stores.
		"the place is a file":  {withFile, "archive/place", "HOUNDTRAIL_ARCHIVE_URL", 2, nil},
		"read-only disk":       {withReadOnly, "archive/create", "HOUNDTRAIL_ARCHIVE_URL", 4, nil},
		"no region":            {func(c *clinic) { c.set("HOUNDTRAIL_ARCHIVE_URL", "s3://audit/acme") }, "archive/place", "HOUNDTRAIL_S3_REGION", 2, nil},
		"no credentials":       {withoutCredentials, "archive/credentials", "AWS_ACCESS_KEY_ID", 4, nil},
		"no role for a token":  {withSTS, "archive/credentials", "trust policy", 4, nil},
		"S3 is down":           {inBucket(func(c *clinic) { c.set("HOUNDTRAIL_S3_ENDPOINT", "http://127.0.0.1:1") }), "archive/address", "HOUNDTRAIL_S3_ENDPOINT", 4, nil},
		"bucket is no host":    {inBucket(func(c *clinic) { c.set("HOUNDTRAIL_S3_PATH_STYLE", "", "HOUNDTRAIL_S3_ENDPOINT", "http://s3.invalid") }), "archive/address", "HOUNDTRAIL_S3_PATH_STYLE", 4, nil},
		"no bucket":            {inBucket(func(c *clinic) { c.set("HOUNDTRAIL_ARCHIVE_URL", "s3://nowhere/acme") }), "archive/list", "HOUNDTRAIL_ARCHIVE_URL", 4, nil},
		"wrong secret":         {inBucket(func(c *clinic) { c.set("AWS_SECRET_ACCESS_KEY", "not-the-secret") }), "archive/list", "AWS_SECRET_ACCESS_KEY", 4, nil},
		"no right to list":     {inBucket(func(c *clinic) { c.allow("s3:GetObject", "s3:PutObject") }), "archive/list", "s3:ListBucket", 4, nil},
		"no right to write":    {inBucket(func(c *clinic) { c.allow("s3:ListBucket", "s3:GetObject") }), "archive/create", "s3:PutObject", 4, nil},
		"no right to read":     {inBucket(func(c *clinic) { c.allow("s3:ListBucket", "s3:PutObject") }), "archive/read", "s3:GetObject", 4, nil},
		"right to delete":      {inBucket(withDelete), "archive/delete", "s3:DeleteObject", 0, nil},
		"no right to compact":  {inBucket(func(c *clinic) { c.set("HOUNDTRAIL_COMPACT_SCHEDULE", "@daily") }), "archive/delete", "HOUNDTRAIL_COMPACT_SCHEDULE", 4, nil},
		"conditions ignored":   {inBucket((*clinic).unconditional), "archive/conditions", "HOUNDTRAIL_ARCHIVE_URL", 4, nil},
		"no Object Lock":       {withLockMode, "archive/lock", "HOUNDTRAIL_S3_OBJECT_LOCK_MODE", 2, nil},
		"a default retention":  {inBucket((*clinic).retain), "journals/lock", "HOUNDTRAIL_CHECKPOINT_URL", 0, nil},
		"no place for anchors": {inBucket(func(c *clinic) { c.set("HOUNDTRAIL_ANCHOR_URL", "s3://heads/acme") }), "anchors/list", "create it", 4, nil},

		// Journals.
		"another tenant":         {exported(func(c *clinic) { c.set("HOUNDTRAIL_TENANT", "emea") }), "archive stream/journal", "HOUNDTRAIL_TENANT", 6, nil},
		"another archive":        {exported(func(c *clinic) { c.set("HOUNDTRAIL_ARCHIVE_URL", "file://"+c.TempDir()) }), "archive stream/journal", "houndtrail move", 6, nil},
		"no journal":             {exported(func(c *clinic) { c.set("HOUNDTRAIL_CHECKPOINT_URL", "file://"+c.TempDir()) }), "archive stream/together", "HOUNDTRAIL_CHECKPOINT_URL", 6, nil},
		"an object is gone":      {exported(withoutObjects), "archive stream/together", "HOUNDTRAIL_ARCHIVE_URL", 6, nil},
		"journal is damaged":     {exported(withDamage), "archive stream/journal", "HOUNDTRAIL_CHECKPOINT_URL", 6, nil},
		"BloodHound is replaced": {exported(func(c *clinic) { c.source.Restore() }), "archive stream/goes on", "HOUNDTRAIL_BLOODHOUND_URL", 6, nil},
		"archive is rolled back": {following(withoutNewest), "webhook stream/follows", "accept-reset --stream webhook", 6, nil},
		"archive begins later":   {withLaterArchive, "webhook stream/follows", "HOUNDTRAIL_WEBHOOK_SOURCE", 6, nil},

		// The receiver.
		"SIEM is unknown":           {func(c *clinic) { c.set("HOUNDTRAIL_WEBHOOK_URL", "https://siem.invalid/"+urlToken) }, "webhook/address", "HOUNDTRAIL_WEBHOOK_URL", 4, nil},
		"SIEM's authority":          {withSIEM, "webhook/certificate", "HOUNDTRAIL_WEBHOOK_CA_FILE", 4, nil},
		"Splunk's token is unknown": {withReceiver("splunk-hec", 403, `{"text":"Invalid token","code":4}`), "webhook/receiver", "HOUNDTRAIL_WEBHOOK_AUTHORIZATION", 4, nil},
		"Splunk's queues are full":  {withReceiver("splunk-hec", 503, `{"text":"queues are full","code":18}`), "webhook/receiver", "queues", 0, nil},
		"Elastic's key is unknown":  {withReceiver("elastic-bulk", 401, `{}`), "webhook/receiver", "HOUNDTRAIL_WEBHOOK_AUTHORIZATION", 4, nil},
		"no data stream":            {withReceiver("elastic-bulk", 404, `{}`), "webhook/receiver", "index template", 0, nil},
		"Loki is not ready":         {withReceiver("loki", 503, "Ingester not ready"), "webhook/receiver", "wait for it", 0, nil},
		"no token for Sentinel":     {withoutToken, "webhook/receiver", "HOUNDTRAIL_WEBHOOK_OAUTH_CLIENT_ID", 4, nil},
		"SIEM wants another login":  {func(c *clinic) { c.siem.turn(401, "") }, "webhook/test event", "HOUNDTRAIL_WEBHOOK_AUTHORIZATION", 4, sendTest},
		"SIEM has another path":     {func(c *clinic) { c.siem.turn(404, "") }, "webhook/test event", "HOUNDTRAIL_WEBHOOK_URL", 4, sendTest},
		"SIEM has another form":     {func(c *clinic) { c.siem.turn(400, "") }, "webhook/test event", "HOUNDTRAIL_WEBHOOK_URL", 4, sendTest},
		"SIEM behind a sign-on":     {func(c *clinic) { c.siem.turn(0, "page") }, "webhook/test event", "HOUNDTRAIL_WEBHOOK_URL", 4, sendTest},
		"SIEM does not say success": {withExpectation, "webhook/test event", "HOUNDTRAIL_WEBHOOK_EXPECT", 4, sendTest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t)
			b.arrange(c)
			rows, code := c.doctor(b.flags...)
			if code != b.code {
				t.Errorf("exit code %d, want %d", code, b.code)
			}
			state := doctor.Fail
			if b.code == 0 {
				state = doctor.Warn
			}
			for _, r := range rows {
				if r.State != state {
					continue
				}
				if got := r.Group + "/" + r.Check; got != b.check {
					t.Errorf("the first row with %s is %s, want %s: %s", state, got, b.check, r.Seen)
				} else if !strings.Contains(r.Advice, b.names) {
					t.Errorf("the advice is %q, which does not name %s", r.Advice, b.names)
				}
				return
			}
			t.Errorf("no row has the state %s", state)
		})
	}
}

var sendTest = []string{"--send-test"}

func withoutSecret(c *clinic) {
	c.set("HOUNDTRAIL_BLOODHOUND_TOKEN_KEY", "", "HOUNDTRAIL_BLOODHOUND_TOKEN_KEY_FILE", "/nowhere/key")
}

func withOpenKey(c *clinic) {
	path := filepath.Join(c.TempDir(), "key.pem")
	if _, stderr, code := c.houndtrail("keygen", path); code != 0 {
		c.Fatal(stderr)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		c.Fatal(err)
	}
	c.set("HOUNDTRAIL_SIGNING_KEY_FILE", path)
}

// withProxy puts a proxy on the way, which refuses to connect.
func withProxy(status int) func(*clinic) {
	return func(c *clinic) {
		proxy := strings.TrimPrefix(c.listen(answering(status, "text/plain", "no"), nil), "http://")
		c.set("HOUNDTRAIL_BLOODHOUND_URL", "https://bloodhound.invalid", "HTTPS_PROXY", "http://user:"+proxyPassword+"@"+proxy)
	}
}

func withScheme(c *clinic) {
	c.set("HOUNDTRAIL_BLOODHOUND_URL", strings.Replace(c.env["HOUNDTRAIL_BLOODHOUND_URL"], "http:", "https:", 1))
}

func withLeaf(name string, left time.Duration) func(*clinic) {
	return func(c *clinic) {
		a := newAuthority(c.T)
		c.serve(a.leaf(name, time.Now().Add(left)))
		c.set("HOUNDTRAIL_BLOODHOUND_CA_FILE", a.file(c))
	}
}

func withSkew(skew time.Duration) func(*clinic) {
	return func(c *clinic) {
		c.bloodhound(bloodhoundtest.Options{Skew: skew})
		c.serve(nil)
	}
}

// useJWT logs in with a session.
func (c *clinic) useJWT() {
	jwt := c.source.Session("auditor")
	c.secrets = append(c.secrets, jwt)
	c.set("HOUNDTRAIL_BLOODHOUND_TOKEN_ID", "", "HOUNDTRAIL_BLOODHOUND_TOKEN_KEY", "", "HOUNDTRAIL_BLOODHOUND_JWT", jwt)
}

func withJWT(c *clinic) { c.useJWT() }

func withExpiredJWT(c *clinic) {
	c.bloodhound(bloodhoundtest.Options{SessionTTL: -time.Hour})
	c.serve(nil)
	c.useJWT()
}

func withWrongPassword(c *clinic) {
	c.set("HOUNDTRAIL_BLOODHOUND_TOKEN_ID", "", "HOUNDTRAIL_BLOODHOUND_TOKEN_KEY", "",
		"HOUNDTRAIL_BLOODHOUND_USERNAME", "auditor", "HOUNDTRAIL_BLOODHOUND_PASSWORD", "not-the-password")
	c.secrets = append(c.secrets, "not-the-password")
}

func withUnprintable(c *clinic) {
	rows := c.source.Rows()
	c.source.Alter(rows[0].ID, func(r *bloodhoundtest.Row) { r.Unprintable = true })
}

func withFile(c *clinic) { c.set("HOUNDTRAIL_ARCHIVE_URL", "file://"+c.write("archive", "", 0o600)) }

func withReadOnly(c *clinic) {
	switch can, err := condition("small-disk"); {
	case err != nil:
		c.Fatal(err)
	case !can:
		c.Skip("this machine does not let a test mount a disk")
	}
	dir := c.dir("HOUNDTRAIL_ARCHIVE_URL")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		c.Fatal(err)
	}
	c.before = []string{"on-read-only", dir}
}

func withoutCredentials(c *clinic) {
	c.set("HOUNDTRAIL_ARCHIVE_URL", "s3://audit/acme", "HOUNDTRAIL_S3_REGION", "eu-central-1")
}

// withSTS starts a double of STS that refuses the role: versitygw has none, and the tests cannot reach the STS of AWS. The form of
// the answer is that of "AssumeRoleWithWebIdentity" in the AWS STS API reference.
func withSTS(c *clinic) {
	withoutCredentials(c)
	sts := c.listen(answering(http.StatusForbidden, "text/xml", `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>`+
		`<Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error><RequestId>R1</RequestId></ErrorResponse>`), nil)
	token := c.write("token", "header.payload.signature-of-the-token", 0o600)
	c.secrets = append(c.secrets, "signature-of-the-token")
	c.set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/houndtrail", "AWS_WEB_IDENTITY_TOKEN_FILE", token, "AWS_ENDPOINT_URL_STS", sts)
}

// inBucket breaks a set-up in S3.
func inBucket(arrange func(*clinic)) func(*clinic) {
	return func(c *clinic) {
		c.bucket(true)
		arrange(c)
	}
}

func withDelete(c *clinic) {
	c.allow("s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject")
}

func withLockMode(c *clinic) {
	c.bucket(true)
	servers.CreateBucket(c.T, c.s3, "plain", false)
	c.set("HOUNDTRAIL_ARCHIVE_URL", "s3://plain/acme", "HOUNDTRAIL_CHECKPOINT_URL", "s3://plain/acme/checkpoints",
		"AWS_ACCESS_KEY_ID", c.s3.AccessKey, "AWS_SECRET_ACCESS_KEY", c.s3.SecretKey,
		"HOUNDTRAIL_S3_OBJECT_LOCK_MODE", "GOVERNANCE", "HOUNDTRAIL_S3_OBJECT_LOCK_DAYS", "1")
}

// exported breaks a set-up after a run.
func exported(arrange func(*clinic)) func(*clinic) {
	return func(c *clinic) {
		c.once()
		arrange(c)
	}
}

func withoutObjects(c *clinic) {
	if err := os.RemoveAll(filepath.Join(c.dir("HOUNDTRAIL_ARCHIVE_URL"), "audit")); err != nil {
		c.Fatal(err)
	}
}

func withDamage(c *clinic) {
	entries, err := filepath.Glob(filepath.Join(c.dir("HOUNDTRAIL_CHECKPOINT_URL"), "archive", "0*", "0*.json"))
	if err != nil || len(entries) == 0 {
		c.Fatalf("no entries: %v", err)
	}
	if err := os.Truncate(entries[len(entries)-1], 100); err != nil {
		c.Fatal(err)
	}
}

// following makes a set-up whose webhook stream follows the archive, and has delivered.
func following(then func(*clinic)) func(*clinic) {
	return exported(func(c *clinic) {
		c.set("HOUNDTRAIL_WEBHOOK_SOURCE", "archive")
		c.once()
		then(c)
	})
}

// withoutNewest takes back the newest entry of the archive's journal, and the notes beside it.
func withoutNewest(c *clinic) {
	journal := filepath.Join(c.dir("HOUNDTRAIL_CHECKPOINT_URL"), "archive")
	entries, err := filepath.Glob(filepath.Join(journal, "0*", "0*.json"))
	if err != nil || len(entries) < 2 {
		c.Fatalf("entries %v: %v", entries, err)
	}
	if err := errors.Join(os.Remove(entries[len(entries)-1]), os.RemoveAll(filepath.Join(journal, "state"))); err != nil {
		c.Fatal(err)
	}
}

// withLaterArchive begins the archive later than the webhook stream, which has read from BloodHound.
func withLaterArchive(c *clinic) {
	archive, siem := c.env["HOUNDTRAIL_ARCHIVE_URL"], c.env["HOUNDTRAIL_WEBHOOK_URL"]
	c.set("HOUNDTRAIL_ARCHIVE_URL", "")
	c.once()
	c.set("HOUNDTRAIL_ARCHIVE_URL", archive, "HOUNDTRAIL_WEBHOOK_URL", "")
	c.set("HOUNDTRAIL_START", time.Now().UTC().AddDate(0, 0, -1).Truncate(time.Second).Format(time.RFC3339))
	c.once()
	c.set("HOUNDTRAIL_WEBHOOK_URL", siem, "HOUNDTRAIL_WEBHOOK_SOURCE", "archive")
}

func withSIEM(c *clinic) {
	c.set("HOUNDTRAIL_WEBHOOK_URL", c.listen(c.siem, newAuthority(c.T).leaf(local, nextYear()))+"/ingest")
}

// withReceiver makes a receiver of a format that has one answer to every question.
func withReceiver(format string, status int, body string) func(*clinic) {
	return func(c *clinic) {
		c.set("HOUNDTRAIL_WEBHOOK_FORMAT", format, "HOUNDTRAIL_WEBHOOK_URL", c.listen(answering(status, "application/json", body), nil))
	}
}

// withoutToken makes a token endpoint that does not know the client.
func withoutToken(c *clinic) {
	tokens := c.listen(answering(http.StatusUnauthorized, "application/json", `{"error":"invalid_client"}`), nil)
	c.set("HOUNDTRAIL_WEBHOOK_FORMAT", "sentinel", "HOUNDTRAIL_WEBHOOK_AUTHORIZATION", "", "HOUNDTRAIL_WEBHOOK_OAUTH_TOKEN_URL", tokens,
		"HOUNDTRAIL_WEBHOOK_OAUTH_CLIENT_ID", "client", "HOUNDTRAIL_WEBHOOK_OAUTH_CLIENT_SECRET", headerSecret)
}

func withExpectation(c *clinic) { c.set("HOUNDTRAIL_WEBHOOK_EXPECT", "json:.text=Success") }
