package config_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/config"
)

// TestAccepted has good values of every variable. Each comes with the field's value after Load, by the field's place in the tree.
// TestTags checks that no variable is missing.
func TestAccepted(t *testing.T) {
	t.Parallel()
	const user = "BLOODHOUND_TOKEN_ID|BLOODHOUND_TOKEN_KEY|BLOODHOUND_USERNAME=u|BLOODHOUND_PASSWORD=p w"
	const id = "00000000-0000-0000-0000-000000000001"
	const oauth = "WEBHOOK_OAUTH_TOKEN_URL=https://a.example/token/|WEBHOOK_OAUTH_CLIENT_ID=c|WEBHOOK_OAUTH_CLIENT_SECRET=s"
	const signing = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
	const siem = "WEBHOOK_URL=https://siem.example|"
	tests := []struct{ set, field, want string }{
		{"BLOODHOUND_URL=https://Tenant.example:8443/hound/", "BloodHound.URL", "https://Tenant.example:8443/hound"},
		{"BLOODHOUND_URL=http://127.0.0.1:8080", "BloodHound.URL", "http://127.0.0.1:8080"},
		{"BLOODHOUND_TOKEN_ID=" + id, "BloodHound.TokenID", id},
		{"BLOODHOUND_TOKEN_KEY=a=b /c ", "BloodHound.TokenKey", "a=b /c "},
		{"BLOODHOUND_TOKEN_ID|BLOODHOUND_TOKEN_KEY|BLOODHOUND_JWT=j", "BloodHound.JWT", "j"},
		{user, "BloodHound.Username", "u"},
		{user, "BloodHound.Password", "p w"},
		{"BLOODHOUND_PAGE_SIZE=1", "BloodHound.PageSize", "1"},
		{"BLOODHOUND_PAGE_SIZE=50000", "BloodHound.PageSize", "50000"},
		{"BLOODHOUND_RATE=0.5", "BloodHound.Rate", "0.5"},
		{"BLOODHOUND_RATE=auto", "BloodHound.Rate", "auto"},
		{"WEBHOOK_RATE=0", "Webhook.Rate", "0"},
		{"WEBHOOK_RATE=0.5", "Webhook.Rate", "0.5"},
		{"BLOODHOUND_WAIT=1s", "BloodHound.Wait", "1s"},
		{"BLOODHOUND_CA_FILE", "BloodHound.CA", ""}, // TestCAFile has a file
		{"BLOODHOUND_INSECURE=true", "BloodHound.Insecure", "true"},
		{"TENANT=Acme Corp/Köln", "Tenant", "Acme_Corp_K_ln"},
		{"BLOODHOUND_URL=https://Tenant.example:8443", "Tenant", "tenant.example"},
		{"BLOODHOUND_URL=http://[::1]:8080", "Tenant", "__1"},
		{"ARCHIVE_URL=s3://bucket", "Archive.URL", "s3://bucket"},
		{"ARCHIVE_URL=s3://bucket/a/b/", "Archive.URL", "s3://bucket/a/b"},
		{"ARCHIVE_URL=file:///var/lib/../my%20dir/", "Archive.URL", "file:///var/my%20dir"},
		{"ARCHIVE_FORMAT=ndjson", "Archive.Format", "ndjson"},
		{"ARCHIVE_FORMAT=ndjson-zstd", "Archive.Format", "ndjson-zstd"},
		{"SIGNING_KEY", "SigningKey", ""}, // TestSigningKeys has keys
		{"ARCHIVE_SCHEDULE=@hourly", "Archive.Schedule", "@hourly"},
		{"S3_ENDPOINT=http://localhost:9000/", "S3.Endpoint", "http://localhost:9000"},
		{"S3_REGION=eu-central-1", "S3.Region", "eu-central-1"},
		{"S3_PATH_STYLE=true", "S3.PathStyle", "true"},
		{"EXCLUDE_SELF=true", "ExcludeSelf", "true"},
		{"RETENTION=auto", "Retention", "auto"},
		{"RETENTION=off", "Retention", "off"},
		{"RETENTION=2160h", "Retention", "2160h0m0s"},
		{"S3_SSE=AES256", "S3.SSE", "AES256"},
		{"S3_SSE=aws:kms|S3_KMS_KEY_ID=alias/a", "S3.KMSKeyID", "alias/a"},
		{"S3_OBJECT_LOCK_MODE=COMPLIANCE|S3_OBJECT_LOCK_DAYS=400", "S3.ObjectLockMode", "COMPLIANCE"},
		{"S3_OBJECT_LOCK_MODE=COMPLIANCE|S3_OBJECT_LOCK_DAYS=400", "S3.ObjectLockDays", "400"},
		{"S3_STORAGE_CLASS=GLACIER_IR", "S3.StorageClass", "GLACIER_IR"},
		{"WEBHOOK_URL=https://siem.example/in?token=t", "Webhook.URL", "https://siem.example/in?token=t"},
		{"WEBHOOK_FORMAT=ndjson", "Webhook.Format", "ndjson"},
		{siem + "WEBHOOK_AUTHORIZATION=Splunk t", "Webhook.Authorization", "Splunk t"},
		{oauth, "Webhook.OAuth.TokenURL", "https://a.example/token"},
		{oauth, "Webhook.OAuth.ClientID", "c"},
		{oauth, "Webhook.OAuth.ClientSecret", "s"},
		{oauth + "|WEBHOOK_OAUTH_SCOPE=https://b.example//.default", "Webhook.OAuth.Scope", "https://b.example//.default"},
		{siem + "WEBHOOK_SIGNING_SECRETS=" + signing, "Webhook.SigningSecrets", signing},
		{"WEBHOOK_CLIENT_CERT_FILE=/c.pem|WEBHOOK_CLIENT_KEY_FILE=/k.pem", "Webhook.ClientCert", "/c.pem"},
		{"WEBHOOK_CLIENT_CERT_FILE=/c.pem|WEBHOOK_CLIENT_KEY_FILE=/k.pem", "Webhook.ClientKey", "/k.pem"},
		{"WEBHOOK_HEC_INDEX=security", "Webhook.HEC.Index", "security"},
		{"WEBHOOK_HEC_SOURCETYPE=_json", "Webhook.HEC.Sourcetype", "_json"},
		{"WEBHOOK_HEC_ACK=true", "Webhook.HEC.Ack", "true"},
		{"WEBHOOK_HEC_RESUME=true", "Webhook.HEC.Resume", "true"},
		{siem + "WEBHOOK_HEADERS=dd-api-key: k:1 ,X-Site:  hq", "Webhook.Headers", "map[Dd-Api-Key:[k:1] X-Site:[hq]]"},
		{siem + "WEBHOOK_HEADERS=A: 1, 2\r\na: 3", "Webhook.Headers", "map[A:[1, 2 3]]"},
		{"WEBHOOK_BATCH_RECORDS=7", "Webhook.BatchRecords", "7"},
		{"WEBHOOK_BATCH_BYTES=2048", "Webhook.BatchBytes", "2KiB"},
		{"WEBHOOK_RECORD_BYTES=200KiB", "Webhook.RecordBytes", "200KiB"},
		{"WEBHOOK_ALLOW_STALE=true", "Webhook.AllowStale", "true"},
		{"WEBHOOK_LOKI_METADATA=false", "Webhook.LokiMetadata", "false"},
		{"WEBHOOK_SCHEMA=ecs", "Webhook.Schema", "ecs"},
		{"WEBHOOK_SCHEMA=ocsf|WEBHOOK_TRUSTED_PROXIES=2", "Webhook.TrustedProxies", "2"},
		{"WEBHOOK_FILTER=status=neq:intent", "Webhook.Filter", "status=neq:intent"},
		{"WEBHOOK_FILTER=action=~eq:Auth&actor_name=neq:a%26b", "Webhook.Filter", "action=~eq:Auth&actor_name=neq:a%26b"},
		{"WEBHOOK_PAIRS=true", "Webhook.Pairs", "true"},
		{"WEBHOOK_SOURCE=archive", "Webhook.Source", "archive"},
		{"WEBHOOK_COMPRESSION=none", "Webhook.Compression", "none"},
		{"WEBHOOK_COMPRESSION=zstd", "Webhook.Compression", "zstd"},
		{"WEBHOOK_IN_FLIGHT=1", "Webhook.InFlight", "1"},
		{"WEBHOOK_TIMEOUT=1m30s", "Webhook.Timeout", "1m30s"},
		{"WEBHOOK_EXPECT=204", "Webhook.Expect", "204"},
		{"WEBHOOK_EXPECT=200,json:.text=All is well", "Webhook.Expect", "200,json:.text=All is well"},
		{"WEBHOOK_CA_FILE", "Webhook.CA", ""}, // TestCAFile has a file
		{"ARCHIVE_URL=s3://bucket/a/", "Checkpoint.URL", "s3://bucket/a/checkpoints"},
		{"ARCHIVE_URL=file:///", "Checkpoint.URL", "file:///checkpoints"},
		{"CHECKPOINT_URL=file:///c", "Checkpoint.URL", "file:///c"},
		{"WEBHOOK_HEADS=true", "Webhook.Heads", "true"},
		{"WEBHOOK_ALARMS=true", "Webhook.Alarms", "true"},
		{"ANCHOR_URL=s3://heads/acme/", "Anchor.URL", "s3://heads/acme"},
		{"ANCHOR_SCHEDULE=0 * * * *", "Anchor.Schedule", "0 * * * *"},
		{"SCHEDULE=@hourly", "Schedule", "@hourly"},
		{"START=2026-01-31T01:00:00.5+01:00", "Start", "2026-01-31T00:00:00.5Z"},
		{"START=oldest", "Start", "oldest"},
		{"SETTLE=0s", "Settle", "0s"},
		{"OVERLAP=0", "Overlap", "0s"},
		{"RESCAN=48h", "Rescan", "48h0m0s"},
		{"STOP_GRACE=30s", "StopGrace", "30s"},
		{"RESCAN_SCHEDULE=30 2 * * *", "RescanSchedule", "30 2 * * *"},
		{"VERIFY_COUNT=off", "VerifyCount", "off"},
		{"VERIFY_KEY_FILE", "VerifyKey", ""}, // TestVerifyKeys has a file
		{"VERIFY_SCHEDULE=off", "VerifySchedule.Spec", ""},
		{"VERIFY_SCHEDULE=@hourly", "VerifySchedule.Spec", "@hourly"},
		{"ON_BAD_RECORD=quarantine", "OnBadRecord", "quarantine"},
		{"DEAD_LETTER=on", "DeadLetter", "on"},
		{"WINDOW_MAX=1h", "Window.Max", "1h0m0s"},
		{"WINDOW_RECORDS=1", "Window.Records", "1"},
		{"LISTEN=off", "Listen", ""},
		{"LISTEN=[::1]:0", "Listen", "[::1]:0"},
		{"LISTEN_NAMES=true", "ListenNames", "true"},
		{"METRICS_TEXTFILE=/var/lib/node/acme.prom", "MetricsTextfile", "/var/lib/node/acme.prom"},
		{"PUSHGATEWAY_URL=http://gateway.example:9091/", "Pushgateway", "http://gateway.example:9091"},
		{"LOG_LEVEL=debug", "Log.Level", "debug"},
		{"LOG_FORMAT=console", "Log.Format", "console"},
	}
	for _, test := range tests {
		t.Run(test.set, func(t *testing.T) {
			t.Parallel()
			c := load(t, with(minimal(), strings.Split(test.set, "|")...))
			if got := plain(c, test.field); got != test.want {
				t.Errorf("%s is %q, want %q", test.field, got, test.want)
			}
		})
	}
}

// plain returns the text of the field at a path, with readable secrets.
func plain(c *config.Config, path string) string {
	v := reflect.ValueOf(*c)
	for name := range strings.SplitSeq(path, ".") {
		v = v.FieldByName(name)
	}
	switch value := v.Interface().(type) {
	case config.Secret:
		return reveal(value)
	case config.TokenID:
		return reveal(value.Secret)
	case config.JWT:
		return reveal(value.Secret)
	case config.SigningSecrets:
		return reveal(value.Secret)
	case config.WebhookURL:
		return reveal(value.Secret)
	case config.Headers:
		header, err := value.Value()
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(header)
	}
	return fmt.Sprint(v.Interface())
}

func TestAuth(t *testing.T) {
	t.Parallel()
	for set, want := range map[string]config.Auth{
		"TENANT=a": config.AuthToken,
		"BLOODHOUND_TOKEN_ID|BLOODHOUND_TOKEN_KEY|BLOODHOUND_JWT=j":                            config.AuthJWT,
		"BLOODHOUND_TOKEN_ID|BLOODHOUND_TOKEN_KEY|BLOODHOUND_USERNAME=u|BLOODHOUND_PASSWORD=p": config.AuthPassword,
	} {
		if got := load(t, with(minimal(), strings.Split(set, "|")...)).BloodHound.Auth(); got != want {
			t.Errorf("%s: %d, want %d", set, got, want)
		}
	}
	c, err := config.Load(nil, config.NeedNothing)
	if err != nil || c.BloodHound.Auth() != config.AuthNone || c.BloodHound.URL.URL() != nil {
		t.Errorf("an empty environment gives %v, %v; want a way to log in or an address to be missing", c, err)
	}
}

func TestStoreURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		url                 config.StoreURL
		bucket, prefix, dir string
		s3, file            bool
	}{
		{url: "s3://bucket", bucket: "bucket", s3: true},
		{url: "s3://bucket/a/b", bucket: "bucket", prefix: "a/b", s3: true},
		{url: "file:///my%20dir/a", dir: "/my dir/a", file: true},
		{url: ""},
	} {
		bucket, prefix, s3 := test.url.S3()
		if s3 != test.s3 || s3 && (bucket != test.bucket || prefix != test.prefix) {
			t.Errorf("%s: S3() = %q, %q, %t", test.url, bucket, prefix, s3)
		}
		if dir, file := test.url.Dir(); dir != test.dir || file != test.file {
			t.Errorf("%s: Dir() = %q, %t", test.url, dir, file)
		}
	}
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		"0 3 29 2 *":                      "2028-02-29T03:00:00Z",
		"CRON_TZ=Europe/Berlin 0 3 * * *": "2026-07-02T01:00:00Z",
		"TZ=UTC @every 90s":               "2026-07-01T12:01:30Z",
		"@every 1h30m":                    "2026-07-01T13:30:00Z",
	} {
		c := load(t, with(minimal(), "SCHEDULE="+spec))
		if got := c.Schedule.Next(noon).UTC().Format(time.RFC3339); got != want {
			t.Errorf("%s comes next at %s, want %s", spec, got, want)
		}
	}
}

// noon is an instant of summer time.
var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func reveal(s config.Secret) string {
	value, err := s.Value()
	if err != nil {
		return "error: " + err.Error()
	}
	return value
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := load(t, minimal())
	if got := c.Warnings(); len(got) > 0 {
		t.Errorf("the defaults warn: %q", got)
	}
	if header, err := c.Webhook.Headers.Value(); header != nil || err != nil {
		t.Errorf("unset headers are %v, %v", header, err)
	}
	got := fmt.Sprintf("%+v", []any{
		c.BloodHound.PageSize, c.BloodHound.Rate, c.BloodHound.Wait, c.BloodHound.Insecure, c.Tenant, c.Archive.Format,
		c.S3, c.Webhook, c.Checkpoint, c.Schedule, c.Start, c.Settle, c.Overlap, c.Rescan, c.RescanSchedule, c.VerifyCount, c.Window, c.Listen, c.Log,
	})
	golden(t, "testdata/defaults.golden", strings.ReplaceAll(got, " ", "\n")+"\n")
}

// TestEnvironOrder: Load ignores variables without the prefix. If a variable is set twice, the first one counts, as in os.Getenv.
func TestEnvironOrder(t *testing.T) {
	t.Parallel()
	environ := append(minimal(), "PATH=/bin", "AWS_REGION=", "houndtrail_x=1", "HOUNDTRAILS=1", "=C:=x",
		"HOUNDTRAIL_TENANT=first", "HOUNDTRAIL_TENANT=second")
	if c := load(t, environ); c.Tenant != "first" {
		t.Errorf("tenant %s, want first", c.Tenant)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	c := load(t, with(minimal(), "BLOODHOUND_URL=http://tenant.example",
		"S3_ENDPOINT=http://10.0.0.7:9000", "BLOODHOUND_INSECURE=true",
		"SETTLE=4999ms", "OVERLAP=59s",
		"ANCHOR_SCHEDULE=@daily", "WEBHOOK_BATCH_RECORDS=5", "WEBHOOK_HEADERS_FILE=/nonexistent"))
	d := load(t, with(minimal(), "ARCHIVE_URL", "BLOODHOUND_URL=http://localhost",
		"WEBHOOK_URL=http://siem.example/TOKEN", "WEBHOOK_HEC_ACK=true",
		"CHECKPOINT_URL=file:///c", "ARCHIVE_FORMAT=ndjson", "COMPACT_SCHEDULE=@daily",
		"S3_REGION=eu-central-1", "S3_ENDPOINT=http://[::1]:9000"))
	golden(t, "testdata/warnings.golden", strings.Join(append(c.Warnings(), d.Warnings()...), "\n")+"\n")
	quiet := load(t, with(minimal(), "ARCHIVE_URL=file:///a", "CHECKPOINT_URL=s3://bucket", "S3_REGION=eu-central-1",
		"SETTLE=5s", "OVERLAP=1m", "BLOODHOUND_URL=http://127.0.0.2", "ANCHOR_URL=s3://buckets/a", "ANCHOR_SCHEDULE=@daily"))
	if got := quiet.Warnings(); len(got) > 0 {
		t.Errorf("unwanted warnings: %q", got)
	}
}

// TestAnchorsBesideTheJournals expects a warning about heads that would be lost together with the journals.
func TestAnchorsBesideTheJournals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		journals, heads string
		warns           bool
	}{
		{"s3://a/x", "s3://a", true},
		{"s3://a", "s3://a/heads", true},
		{"s3://a/x", "s3://b/x", false},
		{"file:///a", "file:///a/heads", true},
		{"file:///a/b", "file:///a", true},
		{"file:///a", "file:///a", true},
		{"file:///a", "file:///ab", false},
		{"file:///a", "s3://a", false},
	} {
		got := load(t, with(minimal(), "CHECKPOINT_URL="+c.journals, "ANCHOR_URL="+c.heads)).Warnings()
		if warns := strings.Contains(strings.Join(got, "\n"), "HOUNDTRAIL_ANCHOR_URL: in the place of the journals"); warns != c.warns {
			t.Errorf("journals at %s and heads at %s: %q", c.journals, c.heads, got)
		}
	}
}

func TestByteSize(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := config.ByteSize(rapid.Int64Range(0, math.MaxInt64).Draw(t, "size"))
		if shift := rapid.IntRange(0, 40).Draw(t, "shift"); shift > 0 {
			size = size >> shift << shift
		}
		got, err := config.ParseByteSize(size.String())
		if err != nil || got != size {
			t.Fatalf("%d is printed as %s, which reads as %d, %v", size, size, got, err)
		}
	})
	for text, want := range map[string]config.ByteSize{
		"0": 0, "1": 1, "1B": 1, "1KiB": 1024, "010MiB": 10 << 20, "8589934591GiB": 8589934591 << 30, "8589934592GiB": -1,
		"9223372036854775807": math.MaxInt64, "9223372036854775808": -1,
		"": -1, "B": -1, "KiB": -1, "-1": -1, "+1": -1, "1 KiB": -1,
		"1.5MiB": -1, "1_000": -1, "0x10": -1, "1kib": -1, "1KiBB": -1, "1MB": -1, "1e3": -1,
	} {
		got, err := config.ParseByteSize(text)
		if refused := want < 0; refused != (err != nil) || !refused && got != want {
			t.Errorf("ParseByteSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
}

func FuzzByteSize(f *testing.F) {
	for _, seed := range []string{"1MiB", "0", "9223372036854775807B", "٣KiB", "1GiBMiB"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		size, err := config.ParseByteSize(text)
		if err != nil {
			return
		}
		if again, err := config.ParseByteSize(size.String()); size < 0 || err != nil || again != size {
			t.Errorf("%q is %d, which prints as %s and reads as %d, %v", text, size, size, again, err)
		}
	})
}

// TestScheduleInTheNightOfTheClockChange: the schedule acts as docs/configuration.md says.
func TestScheduleInTheNightOfTheClockChange(t *testing.T) {
	t.Parallel()
	daily := load(t, with(minimal(), "SCHEDULE=CRON_TZ=Europe/Berlin 30 2 * * *")).Schedule
	for from, want := range map[string]string{
		"2026-03-28T12:00:00Z": "2026-03-30T00:30:00Z", // there is no 2:30 on the 29th
		"2026-10-24T12:00:00Z": "2026-10-25T00:30:00Z",
	} {
		at, err := time.Parse(time.RFC3339, from)
		if err != nil {
			t.Fatal(err)
		}
		if got := daily.Next(at).UTC().Format(time.RFC3339); got != want {
			t.Errorf("after %s it is due at %s, want %s", from, got, want)
		}
	}
	load(t, with(minimal(), "SCHEDULE=*/60 */24 1/31 */12 */7"))
}
