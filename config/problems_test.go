package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/config"
)

// TestProblems has every variable's bad values and every broken rule. The golden file has the exact messages, for people to
// read. Each line of input is one environment on top of the minimal one.
func TestProblems(t *testing.T) {
	t.Parallel()
	inputs := `
BLOODHOUND_URL
BLOODHOUND_URL=
BLOODHOUND_URL=tenant.example
BLOODHOUND_URL=ftp://tenant.example
BLOODHOUND_URL=https://
BLOODHOUND_URL=https://:443
BLOODHOUND_URL=https://tenant.example:70000
BLOODHOUND_URL=https://tenant.example/?tenant=SECRET
BLOODHOUND_URL=https://tenant.example?
BLOODHOUND_URL=https://tenant.example/#SECRET
BLOODHOUND_URL=https://user:SECRET@tenant.example
BLOODHOUND_URL=https://user:SE?CRET/SECRET#SECRET@tenant.example
BLOODHOUND_URL=user:SECRET@tenant.example
BLOODHOUND_URL=https://tenant.example/api/v2/
BLOODHOUND_URL=https://tenant.example/ui/login
BLOODHOUND_TOKEN_ID
BLOODHOUND_TOKEN_ID=
BLOODHOUND_TOKEN_ID=SECRET
BLOODHOUND_TOKEN_ID|BLOODHOUND_TOKEN_KEY
BLOODHOUND_TOKEN_KEY
BLOODHOUND_TOKEN_KEY=
BLOODHOUND_TOKEN_KEY=two{LF}SECRET
BLOODHOUND_TOKEN_KEY_FILE=/dev/null
BLOODHOUND_TOKEN_KEY|BLOODHOUND_TOKEN_KEY_FILE=
BLOODHOUND_TOKEN_KEY|BLOODHOUND_TOKEN_KEY_FILE=SECRET
BLOODHOUND_TOKEN_KEY|BLOODHOUND_TOKEN_KEY_FILE=/nonexistent/key
BLOODHOUND_TOKEN_KEY|BLOODHOUND_TOKEN_KEY_FILE=/dev/null
BLOODHOUND_JWT=SECRET
BLOODHOUND_JWT=
BLOODHOUND_TOKEN_ID|BLOODHOUND_TOKEN_KEY|BLOODHOUND_JWT=
BLOODHOUND_JWT_FILE=/nonexistent/jwt
BLOODHOUND_USERNAME=
BLOODHOUND_PASSWORD=
BLOODHOUND_TOKEN_ID|BLOODHOUND_TOKEN_KEY|BLOODHOUND_USERNAME=auditor
BLOODHOUND_TOKEN_ID|BLOODHOUND_TOKEN_KEY|BLOODHOUND_PASSWORD=SECRET
BLOODHOUND_USERNAME=auditor|BLOODHOUND_PASSWORD=SECRET|BLOODHOUND_JWT=SECRET
BLOODHOUND_TOKEN_ID|BLOODHOUND_TOKEN_KEY|BLOODHOUND_USERNAME=au{LF}ditor|BLOODHOUND_PASSWORD=SECRET{LF}
BLOODHOUND_PAGE_SIZE=0
BLOODHOUND_PAGE_SIZE=50001
BLOODHOUND_PAGE_SIZE=-1
BLOODHOUND_PAGE_SIZE=010
BLOODHOUND_PAGE_SIZE=1_000
BLOODHOUND_PAGE_SIZE=many
BLOODHOUND_PAGE_SIZE=
BLOODHOUND_PAGE_SIZE=99999999999999999999
BLOODHOUND_RATE=0
BLOODHOUND_RATE=-1
BLOODHOUND_RATE=NaN
BLOODHOUND_RATE=Inf
BLOODHOUND_RATE=5/s
WEBHOOK_RATE=-1
WEBHOOK_RATE=0.001
WEBHOOK_RATE=NaN
WEBHOOK_RATE=auto
BLOODHOUND_WAIT=0s
BLOODHOUND_WAIT=31s
BLOODHOUND_WAIT=1500ms
BLOODHOUND_WAIT=30
BLOODHOUND_CA_FILE=/nonexistent/ca.pem
BLOODHOUND_CA_FILE=/etc
BLOODHOUND_CA_FILE=
BLOODHOUND_INSECURE=yes
BLOODHOUND_INSECURE=true|BLOODHOUND_CA_FILE=/nonexistent/ca.pem
TENANT=
ARCHIVE_URL
ARCHIVE_URL=
ARCHIVE_URL=bucket/prefix
ARCHIVE_URL=s3:///prefix
ARCHIVE_URL=s3://bucket/a//b
ARCHIVE_URL=s3://bucket/../b
ARCHIVE_URL=s3://bucket/a b
ARCHIVE_URL=s3://key:SECRET@bucket/prefix
ARCHIVE_URL=file://dir
ARCHIVE_URL=file://var/lib/houndtrail
ARCHIVE_URL=file:dir
ARCHIVE_URL=/var/lib/houndtrail
ARCHIVE_FORMAT=csv
ARCHIVE_FORMAT=Parquet
ARCHIVE_SCHEDULE=
ARCHIVE_SCHEDULE=5m
COMPACT_SCHEDULE=daily
VERIFY_SCHEDULE=never
VERIFY_KEY_FILE=/nonexistent/owner.pub.pem
VERIFY_KEY_FILE=/etc
VERIFY_SCHEDULE=
S3_ENDPOINT=minio:9000
S3_ENDPOINT=https://key:SECRET@minio.example
S3_REGION=
S3_PATH_STYLE=on
EXCLUDE_SELF=webhook
RETENTION=90d
RETENTION=23h
RETENTION=-2160h
S3_SSE=AES
S3_KMS_KEY_ID=alias/audit
S3_KMS_KEY_ID=alias/audit|S3_SSE=AES256
S3_OBJECT_LOCK_MODE=governance|S3_OBJECT_LOCK_DAYS=1
S3_OBJECT_LOCK_MODE=GOVERNANCE
S3_OBJECT_LOCK_DAYS=1
S3_OBJECT_LOCK_MODE=GOVERNANCE|S3_OBJECT_LOCK_DAYS=0
S3_STORAGE_CLASS=GLACIER
SIGNING_KEY=SECRET
SIGNING_KEY_FILE=/nonexistent/key.pem
SIGNING_KEY_FILE=/dev/null
WEBHOOK_URL=siem.example/SECRET
WEBHOOK_URL=https://user:SECRET@siem.example/
WEBHOOK_URL=https://siem.example/SECRET#SECRET
WEBHOOK_OAUTH_TOKEN_URL=a.example|WEBHOOK_OAUTH_CLIENT_ID=c|WEBHOOK_OAUTH_CLIENT_SECRET=SECRET
WEBHOOK_OAUTH_CLIENT_SECRET_FILE=SECRET
WEBHOOK_OAUTH_TOKEN_URL=https://a.example
WEBHOOK_OAUTH_CLIENT_ID=c
WEBHOOK_OAUTH_CLIENT_ID=|WEBHOOK_OAUTH_CLIENT_SECRET=
WEBHOOK_OAUTH_CLIENT_SECRET=SECRET
WEBHOOK_OAUTH_SCOPE=s
WEBHOOK_OAUTH_TOKEN_URL=https://a.example|WEBHOOK_OAUTH_CLIENT_ID=c|WEBHOOK_OAUTH_CLIENT_SECRET=SECRET|WEBHOOK_AUTHORIZATION=SECRET
WEBHOOK_URL=https://siem.example|WEBHOOK_SIGNING_SECRETS=SECRET
WEBHOOK_URL=https://siem.example|WEBHOOK_SIGNING_SECRETS=whsec_SECRET
WEBHOOK_URL=https://siem.example|WEBHOOK_SIGNING_SECRETS=whsec_a whsec_b whsec_c
WEBHOOK_CLIENT_CERT_FILE=/c.pem
WEBHOOK_CLIENT_KEY_FILE=/k.pem
WEBHOOK_URL=https://siem.example|WEBHOOK_CLIENT_CERT_FILE=/nonexistent/c.pem|WEBHOOK_CLIENT_KEY_FILE=/nonexistent/k.pem
WEBHOOK_HEC_ACK=yes
WEBHOOK_HEC_RESUME=on
WEBHOOK_FORMAT=syslog
WEBHOOK_FORMAT=NDJSON
WEBHOOK_SIGNING_SECRET=SECRET
WEBHOOK_URL=https://siem.example|WEBHOOK_AUTHORIZATION=Bearer{LF}SECRET
WEBHOOK_URL=https://siem.example|WEBHOOK_AUTHORIZATION_FILE=/nonexistent/authorization
WEBHOOK_URL=https://siem.example|WEBHOOK_HEADERS=SECRET
WEBHOOK_URL=https://siem.example|WEBHOOK_HEADERS=A: SECRET, B
WEBHOOK_URL=https://siem.example|WEBHOOK_HEADERS=A: SECRET, B:
WEBHOOK_URL=https://siem.example|WEBHOOK_HEADERS=A: SECRET,
WEBHOOK_URL=https://siem.example|WEBHOOK_HEADERS=A B: SECRET
WEBHOOK_URL=https://siem.example|WEBHOOK_HEADERS=authorization: SECRET
WEBHOOK_URL=https://siem.example|WEBHOOK_HEADERS=A: SECRET, idempotency-key: SECRET
WEBHOOK_URL=https://siem.example|WEBHOOK_HEADERS=Host: SECRET
WEBHOOK_URL=https://siem.example|WEBHOOK_HEADERS=A: SECRET{TAB}b
WEBHOOK_URL=https://siem.example|WEBHOOK_HEADERS_FILE=/nonexistent/headers
WEBHOOK_BATCH_RECORDS=0
WEBHOOK_BATCH_BYTES=1MB
WEBHOOK_BATCH_BYTES=1023
WEBHOOK_BATCH_BYTES=9223372036854775807GiB
WEBHOOK_RECORD_BYTES=4095
WEBHOOK_ALLOW_STALE=yes
WEBHOOK_PAIRS=both
WEBHOOK_LOKI_METADATA=off
WEBHOOK_COMPRESSION=br
WEBHOOK_SOURCE=splunk
WEBHOOK_SCHEMA=cim
WEBHOOK_TRUSTED_PROXIES=-1
WEBHOOK_TRUSTED_PROXIES=1
WEBHOOK_FILTER=
WEBHOOK_FILTER=status
WEBHOOK_FILTER=status=ne:intent&action=eq:
WEBHOOK_FILTER=state=eq:intent
WEBHOOK_FILTER=id=gt:many&created_at=gte:yesterday
WEBHOOK_IN_FLIGHT=0
WEBHOOK_IN_FLIGHT=101
WEBHOOK_TIMEOUT=0s
WEBHOOK_EXPECT=
WEBHOOK_EXPECT=ok
WEBHOOK_EXPECT=404
WEBHOOK_EXPECT=204 200
WEBHOOK_EXPECT=json:text=Success
WEBHOOK_EXPECT=json:.text
WEBHOOK_URL=https://siem.example|WEBHOOK_CA_FILE=/nonexistent/ca.pem
ARCHIVE_URL|WEBHOOK_URL=https://siem.example
CHECKPOINT_URL=s3://bucket/a b
ANCHOR_URL=heads
WEBHOOK_HEADS=sometimes
WEBHOOK_ALARMS=sometimes
ANCHOR_SCHEDULE=*/90 * * * *
SCHEDULE=
SCHEDULE=5m
SCHEDULE=* * * *
SCHEDULE=0 0 30 2 *
SCHEDULE=@every 500ms
SCHEDULE=@every 1.5s
SCHEDULE=@every -5m
SCHEDULE=@fortnightly
SCHEDULE=*/90 * * * *
SCHEDULE=CRON_TZ=Europe/Berlin 0 1-5/48,3 * * *
SCHEDULE=CRON_TZ=UTC
SCHEDULE=CRON_TZ=Europe/Atlantis * * * * *
START=newest
START=2026-01-31
START=0001-01-01T00:00:00Z
SETTLE=-1s
SETTLE=169h
OVERLAP=-1ns
OVERLAP=ten minutes
STOP_GRACE=2h
RESCAN=yesterday
RESCAN_SCHEDULE=sometimes
VERIFY_COUNT=maybe
ON_BAD_RECORD=ignore
DEAD_LETTER=maybe
WINDOW_MAX=0s
WINDOW_RECORDS=0
LISTEN=
LISTEN=9090
LISTEN=:metrics
LISTEN=:70000
LISTEN_NAMES=all
METRICS_TEXTFILE=houndtrail.prom
METRICS_TEXTFILE=/var/lib/node_exporter/houndtrail.txt
PUSHGATEWAY_URL=http://user:SECRET@pushgateway.example
LOG_LEVEL=INFO
LOG_LEVEL=fatal
LOG_FORMAT=xml
BLOODHOUND_TOKN_KEY=SECRET
BLOODHOUND_TOKEN_KEY_FLIE=SECRET
BLOODHOUND_PAGESIZE=10
S3_REGOIN=eu-central-1
PORT=9090
QUITE_ANOTHER_PROGRAM=SECRET
ARCHIVE_URL_FILE=/run/secrets/url
=SECRET
TENANT="acme"
TENANT='acme'
BLOODHOUND_URL="https://tenant.example"
BLOODHOUND_TOKEN_ID="4c2b6f6e-8a3e-4b51-9b6e-0d6f0f6f1a11"
BLOODHOUND_TOKEN_KEY='SECRET'
BLOODHOUND_TOKEN_KEY|BLOODHOUND_TOKEN_KEY_FILE="/run/secrets/key"
BLOODHOUND_PAGE_SIZE="5000"
SETTLE='2m'
BLOODHOUND_TOKEN_ID|BLOODHOUND_TOKEN_KEY|BLOODHOUND_JWT=Bearer SECRET
BLOODHOUND_TOKEN_ID|BLOODHOUND_TOKEN_KEY|BLOODHOUND_JWT=bearer SECRET
BLOODHOUND_TOKEN_KEY={BOM}SECRET
BLOODHOUND_URL=https://{LONG}.example
TENANT={LONG}|LOG_LEVEL={LONG}
`
	var b strings.Builder
	for input := range strings.SplitSeq(strings.TrimSpace(inputs), "\n") {
		replaced := strings.NewReplacer("{LF}", "\n", "{TAB}", "\t", "{LONG}", strings.Repeat("x", 500), "{BOM}", "\ufeff").Replace(input)
		got := problems(t, with(minimal(), strings.Split(replaced, "|")...), config.NeedExport)
		if got == "" {
			t.Errorf("%s: accepted", input)
		}
		names := strings.NewReplacer("_SIGNING_SECRET", "", "_CLIENT_SECRET", "")
		if strings.Contains(names.Replace(got), "SECRET") {
			t.Errorf("%s: the secret is in the error:\n%s", input, got)
		}
		fmt.Fprintf(&b, "%s\n\t%s\n", input, strings.ReplaceAll(got, "\n", "\n\t"))
	}
	golden(t, "testdata/problems.golden", b.String())
}

// TestAllAtOnce: a user with five mistakes starts the program twice, instead of six times.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	got := problems(t, []string{
		"HOUNDTRAIL_LOG_LEVEL=loud",
		"HOUNDTRAIL_BLOODHOUND_URL=tenant.example",
		"HOUNDTRAIL_BLOODHOUND_RATE=",
		"HOUNDTRAIL_BLOODHOUND_PAGE_SIZE=x",
		"HOUNDTRAIL_BLOODHOUND_JWT_FILE=/nonexistent/jwt",
		"HOUNDTRAIL_WEBHOK_URL=https://siem.example",
		"HOUNDTRAIL_SCHEDULE=never",
		"HOUNDTRAIL_SETTLE=soon",
		"HOUNDTRAIL_S3_OBJECT_LOCK_DAYS=7",
	}, config.NeedExport)
	golden(t, "testdata/all_at_once.golden", got+"\n")
	if lines := strings.Count(got, "\n") + 1; lines != 10 {
		t.Errorf("%d problems, want one for each bad variable and one for no destination:\n%s", lines, got)
	}
}

// TestBadValueIsNotMissing: a misspelt destination is one problem, not three.
func TestBadValueIsNotMissing(t *testing.T) {
	t.Parallel()
	got := problems(t, with(minimal(), "ARCHIVE_URL=s3:/bucket"), config.NeedExport)
	if strings.Contains(got, "\n") {
		t.Errorf("want one problem, got:\n%s", got)
	}
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		environ []string
		need    config.Need
		missing []string
	}{
		{"nothing", nil, config.NeedNothing, nil},
		{"all", nil, config.NeedExport, []string{"BLOODHOUND_URL", "BLOODHOUND_TOKEN_ID", "ARCHIVE_URL"}},
		{"logs", nil, config.NeedBloodHound, []string{"BLOODHOUND_URL", "BLOODHOUND_TOKEN_ID"}},
		{"ddl", nil, config.NeedArchive | config.NeedTenant, []string{"TENANT", "ARCHIVE_URL"}},
		{"ddl of a named tenant", []string{"TENANT=a"}, config.NeedArchive | config.NeedTenant, []string{"ARCHIVE_URL"}},
		{"history", nil, config.NeedCheckpoint | config.NeedSource, []string{"BLOODHOUND_URL", "CHECKPOINT_URL"}},
		{"verify", nil, config.NeedArchive | config.NeedCheckpoint, []string{"ARCHIVE_URL"}},
		{"history beside the archive", []string{"ARCHIVE_URL=file:///a"}, config.NeedCheckpoint, nil},
		{"history elsewhere", []string{"CHECKPOINT_URL=file:///a"}, config.NeedCheckpoint, nil},
		{"ddl of a webhook", []string{"WEBHOOK_URL=https://a"}, config.NeedArchive, []string{"ARCHIVE_URL"}},
		{"journal of a webhook", []string{"WEBHOOK_URL=https://a"}, config.NeedCheckpoint, []string{"CHECKPOINT_URL"}},
		{"half a login", []string{"BLOODHOUND_USERNAME=a"}, config.NeedNothing, []string{"BLOODHOUND_PASSWORD"}},
		// A history needs no token, so the file with the token may be missing.
		{"file of another command", []string{"BLOODHOUND_JWT_FILE=/nonexistent"}, config.NeedNothing, nil},
		{
			"file of this command",
			[]string{"BLOODHOUND_URL=https://a", "BLOODHOUND_JWT_FILE=/nonexistent"},
			config.NeedBloodHound,
			[]string{"BLOODHOUND_JWT_FILE"},
		},
		{
			"file of a stream that is off",
			[]string{"ARCHIVE_URL=file:///a", "WEBHOOK_AUTHORIZATION_FILE=/nonexistent"},
			config.NeedStream, nil,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var names []string
			if got := problems(t, with(nil, test.environ...), test.need); got != "" {
				for line := range strings.SplitSeq(got, "\n") {
					name, _, _ := strings.Cut(line, ":")
					names = append(names, strings.TrimPrefix(name, config.Prefix))
				}
			}
			if fmt.Sprint(names) != fmt.Sprint(test.missing) {
				t.Errorf("problems with %v, want %v", names, test.missing)
			}
		})
	}
}

// TestServiceLinks: a Service named houndtrail makes Kubernetes set these in every container of the namespace.
func TestServiceLinks(t *testing.T) {
	t.Parallel()
	links := []string{
		"HOUNDTRAIL_SERVICE_HOST=10.0.0.7",
		"HOUNDTRAIL_SERVICE_PORT=9090",
		"HOUNDTRAIL_SERVICE_PORT_HTTP_METRICS=9090",
		"HOUNDTRAIL_PORT=tcp://10.0.0.7:9090",
		"HOUNDTRAIL_PORT_9090_TCP=tcp://10.0.0.7:9090",
		"HOUNDTRAIL_PORT_9090_TCP_PROTO=tcp",
		"HOUNDTRAIL_PORT_9090_TCP_PORT=9090",
		"HOUNDTRAIL_PORT_9090_TCP_ADDR=10.0.0.7",
		"HOUNDTRAIL_METRICS_SERVICE_HOST=10.0.0.8",
		"HOUNDTRAIL_METRICS_PORT=udp://10.0.0.8:9090",
	}
	load(t, append(minimal(), links...))
}
