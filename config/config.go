package config

import (
	"time"

	"go.uber.org/zap/zapcore"
)

// Prefix begins every variable's name. The names in this file leave it out.
const Prefix = "HOUNDTRAIL_"

// Config is the whole configuration. The comments leave out the content of the tags: defaults, ranges, allowed words.
type Config struct {
	BloodHound BloodHound `env:",prefix=BLOODHOUND_"`
	// Name of the tenant in object keys, event ids and metrics; every character outside `A-Za-z0-9._-` becomes `_`. Do not
	// change it once records are archived: another name is another partition. At most 200 characters.
	Tenant  string  `env:"TENANT" shown:"host of BLOODHOUND_URL, without the port" example:"acme"`
	Archive Archive `env:",prefix=ARCHIVE_"`
	S3      S3      `env:",prefix=S3_"`
	Webhook Webhook `env:",prefix=WEBHOOK_"`

	Checkpoint Checkpoint `env:",prefix=CHECKPOINT_"`
	// Private key that signs each journal entry and the head of each journal: Ed25519 in PEM, as `houndtrail keygen` writes it.
	// Better use the variable with `_FILE`; other users must not be able to read that file. Several keys, one PEM block after
	// the other, the oldest key first, all sign; so a key can be replaced. Once a journal is signed, Houndtrail does not go on
	// without one of the keys that signed the newest entry. Without a key, journals show accidents, but no forgery.
	SigningKey SigningKeys `env:"SIGNING_KEY" shown:"journals are not signed"`
	Anchor     Anchor      `env:",prefix=ANCHOR_"`

	// When the daemon looks for new records: five cron fields, or `@hourly`, `@daily`, `@every 5m`. `CRON_TZ=Europe/Berlin` in
	// front chooses the time zone. The change to summer time skips some times of day, such as `30 2 * * *` in that zone. In
	// that night there is no run at such a time; the next run delivers the records.
	Schedule Schedule `env:"SCHEDULE,default=@every 5m"`
	// Time at which a first run starts: `oldest` for the oldest record that the server still has, or an RFC 3339 time that is
	// not in the future. It has no effect once there is a checkpoint.
	Start Start `env:"START,default=oldest"`
	// How long Houndtrail waits for late records before it reads a window. Records appear up to some seconds after their own
	// `created_at`: use 5s or more.
	Settle time.Duration `env:"SETTLE,default=2m" min:"0s" max:"168h"`
	// How far each cycle looks back for records that appeared even later. Records that are later than SETTLE and OVERLAP
	// together wait for the next rescan: use 1m or more.
	Overlap time.Duration `env:"OVERLAP,default=10m" min:"0s" max:"168h"`
	// How far back a rescan reads everything again, for records that appeared later than the overlap. Records that appear later
	// than RESCAN are lost. `0s` turns rescans off.
	Rescan time.Duration `env:"RESCAN,default=24h" min:"0s" max:"2160h"`
	// When a rescan is due. The next cycle does it.
	RescanSchedule Schedule `env:"RESCAN_SCHEDULE,default=@daily"`
	// When the daemon compacts the archive, in the form of SCHEDULE: it makes one file of each closed day's many, as `houndtrail
	// compact` does, while the exports go on. It is off unless you set it, since it needs the right to delete files of the archive
	// (`s3:DeleteObject`), and nothing else needs that. A job (`run --once`) does not compact.
	CompactSchedule Schedule `env:"COMPACT_SCHEDULE" shown:"off" example:"@daily"`
	// When the daemon verifies its journals and the archive, in the form of SCHEDULE, or `off`: the newest entries, all since the
	// last time, and a hundredth of the older ones, each with its objects. It costs some hundred requests a time, and 0.01 USD at
	// most in a journal of seven years. `status`, the pages and the metrics tell what it finds. A job (`run --once`) does not verify.
	VerifySchedule OptionalSchedule `env:"VERIFY_SCHEDULE,default=@daily"`
	// File with the public key that has to have signed the newest entries that the daemon verifies: the `.pub.pem` of `keygen`, and
	// after a rotation several of them, one after another. Take it from a place that cannot be changed together with the journal.
	// Without it, the daemon opens no signature when it verifies.
	VerifyKey PublicKeys `env:"VERIFY_KEY_FILE" example:"/etc/houndtrail/owner.pub.pem"`
	// Compare each window with the server's own count. If a window has fewer records, Houndtrail stops and does not commit it.
	VerifyCount VerifyCount `env:"VERIFY_COUNT,default=window" oneof:"window off"`
	// What to do if the server cannot print a record, or sends something that is no record. `stop` stops the stream and names
	// the record. `quarantine` goes on without it: the journal, the log, `status` and the metrics report the hole, and the
	// archive keeps its bytes beside the records.
	OnBadRecord OnBadRecord `env:"ON_BAD_RECORD,default=stop" oneof:"stop quarantine"`
	// What to do with a record that the webhook's receiver refuses, even if it is alone in its batch. With `off`, the stream stops in
	// front of the record and names it. With `on`, the record goes into the dead letter beside the journal, and `houndtrail deadletter`
	// shows, sends or drops it. If the receiver refuses more than 10 of 1,000 records, the stream stops: they are not at fault.
	DeadLetter DeadLetter `env:"DEAD_LETTER,default=off" oneof:"off on"`
	Window     Window     `env:",prefix=WINDOW_"`
	// Do not send the records of Houndtrail's own requests to the webhook, on servers that audit every request. The archive
	// always has them.
	ExcludeSelf bool `env:"EXCLUDE_SELF,default=false"`
	// How long BloodHound keeps audit records: `auto`, a duration such as 2160h, or `off`. The log warns 14 days before records
	// could vanish that are not exported yet. `auto` is three months, until the age of the oldest record shows another value.
	Retention Retention `env:"RETENTION,default=auto"`
	// How long `run` and `backfill` may take to end after SIGTERM, SIGINT or SIGHUP. They commit the windows that they have
	// begun, and begin no new one. The next run does the work that is not committed by then (exit code 7). Stay below the time
	// that your scheduler waits (terminationGracePeriodSeconds).
	StopGrace time.Duration `env:"STOP_GRACE,default=50s" min:"0s" max:"1h"`
	// Address of the metrics, health and status page, or `off`. Only the daemon and `watch` open it. The default serves this
	// machine alone. `:9090` serves every machine that can reach it; a container needs that.
	Listen Listen `env:"LISTEN,default=127.0.0.1:9090"`
	// Show names of hosts and buckets, and the texts of errors, on the pages to every machine that can reach LISTEN. By default,
	// only browsers and probes on this machine itself see them.
	ListenNames bool `env:"LISTEN_NAMES,default=false"`
	// File for the metrics of a job (`run --once`), which it replaces at its end: the textfile collector of node_exporter reads
	// it. Its name ends with `.prom`, and each tenant has its own.
	MetricsTextfile Textfile `env:"METRICS_TEXTFILE" shown:"none" example:"/var/lib/node_exporter/houndtrail-acme.prom"`
	// Pushgateway of Prometheus to which a job (`run --once`) pushes its metrics at its end.
	Pushgateway HTTPURL `env:"PUSHGATEWAY_URL" shown:"none" example:"http://pushgateway.example:9091"`
	Log         Log     `env:",prefix=LOG_"`

	warnings []string
}

// BloodHound is the API from which Houndtrail reads the audit log. [BloodHound.Auth] tells the chosen way to log in.
type BloodHound struct {
	// Address of the BloodHound server. A path in front of `/api` is allowed, but a proxy that rewrites the path
	// breaks signed requests.
	URL HTTPURL `env:"URL" shown:"required" first:"https://tenant.example"`
	// Id of an API token, a UUID; with TOKEN_KEY. Set exactly one way to log in: an API token, JWT, or USERNAME and PASSWORD.
	// The API token is recommended: Houndtrail signs requests with its key and never sends the key. Give the token's user a
	// role that may read the audit log, and no more.
	TokenID TokenID `env:"TOKEN_ID" first:"00000000-0000-0000-0000-000000000000"`
	// Key of the API token.
	TokenKey Secret `env:"TOKEN_KEY" first:"the-key-shown-once"`
	// A bearer token, instead of an API token, without `Bearer` in front. It expires within hours: use it for tests only.
	JWT JWT `env:"JWT"`
	// Name of a user to log in as, instead of an API token; with PASSWORD. Each login is itself an audit record.
	Username Secret `env:"USERNAME"`
	// Password of that user.
	Password Secret `env:"PASSWORD"`
	// Records to ask for in one request, or up to a tenth more if that saves a request. Houndtrail halves it when the server
	// times out.
	PageSize int `env:"PAGE_SIZE,default=5000" min:"1" max:"50000"`
	// Requests a second, at most; from 0.01 to 1000. `auto` begins with 5, rises to 40 while the answers are fast, and goes
	// back to 5 after the first slow or failed one. After a 429 it stays below the rate that caused it. BloodHound itself
	// allows 55.
	Rate Rate `env:"RATE,default=auto"`
	// How long the server may work on one request, sent as `Prefer: wait=30`.
	Wait time.Duration `env:"WAIT,default=30s" min:"1s" max:"30s" step:"1s"`
	// PEM file of certificate authorities to trust besides the system's. Proxies come from `HTTPS_PROXY` and
	// `NO_PROXY`.
	CA CAFile `env:"CA_FILE" example:"/etc/ssl/acme.pem"`
	// Trust any certificate: anyone on the network path can then read and forge the log. Not with CA_FILE.
	Insecure bool `env:"INSECURE,default=false"`
}

// Archive is the stream of files for Athena. Its URL turns it on.
type Archive struct {
	// Place of the files: `s3://bucket/prefix` or `file:///dir`. Turns the archive stream on. A WEBHOOK_URL can be set instead
	// of it, or in addition.
	URL StoreURL `env:"URL" first:"s3://bucket/houndtrail"`
	// Form of the files: `parquet`, or lines of JSON in gzip (`ndjson`) or in zstd (`ndjson-zstd`, about 30% smaller than
	// gzip).
	Format ArchiveFormat `env:"FORMAT,default=parquet" oneof:"parquet ndjson ndjson-zstd"`
	// When the daemon looks for new records for the archive, in the form of SCHEDULE. `@hourly` makes a twelfth of the files
	// that SCHEDULE's default makes, and queries cost less, while the webhook goes on by SCHEDULE. A job (`run --once`) runs
	// all streams whenever it is started.
	Schedule Schedule `env:"SCHEDULE" shown:"SCHEDULE" example:"@hourly"`
}

// S3 says how Houndtrail reaches `s3://` URLs. Values that are not set come from the AWS default chain: AWS_REGION, credentials
// from the environment, profile or role.
type S3 struct {
	// Address of an S3 server that is not AWS.
	Endpoint HTTPURL `env:"ENDPOINT" shown:"AWS" example:"https://minio.example"`
	// Region of the bucket.
	Region string `env:"REGION" shown:"AWS default chain" example:"eu-central-1"`
	// Put the bucket into the path instead of the host name. Most servers that are not AWS need that.
	PathStyle bool `env:"PATH_STYLE,default=false"`
	// Server-side encryption to ask for.
	SSE SSE `env:"SSE" shown:"the bucket's" oneof:"AES256 aws:kms" example:"aws:kms"`
	// Key for SSE `aws:kms`: id, ARN or alias.
	KMSKeyID string `env:"KMS_KEY_ID" shown:"the bucket's" example:"alias/audit"`
	// Retention for each archive file; needs a bucket with Object Lock, and OBJECT_LOCK_DAYS.
	ObjectLockMode ObjectLockMode `env:"OBJECT_LOCK_MODE" shown:"the bucket's" oneof:"GOVERNANCE COMPLIANCE" example:"GOVERNANCE"`
	// How long a file is retained, in days; with OBJECT_LOCK_MODE.
	ObjectLockDays int `env:"OBJECT_LOCK_DAYS" shown:"the bucket's" min:"1" max:"36500" example:"400"`
	// Storage class of archive files. Classes whose objects must be restored before reading are not allowed, since Athena skips
	// such objects. Classes that live in a single zone are not allowed either.
	StorageClass StorageClass `env:"STORAGE_CLASS" shown:"STANDARD" oneof:"STANDARD STANDARD_IA INTELLIGENT_TIERING GLACIER_IR"`
}

// Webhook is the stream of batches to a SIEM. Its URL turns it on.
type Webhook struct {
	// Address to which Houndtrail posts batches. Turns the webhook stream on. Houndtrail prints only its scheme and host, since
	// many receivers put a token into the path or query. From a file, the daemon reads it once, when it starts.
	URL WebhookURL `env:"URL" example:"https://siem.example/ingest"`
	// Form of the batches: the kind of the receiver. docs/siem.md has a section for each. The parentheses have the limits of each
	// form for one batch.
	Format WebhookFormat `env:"FORMAT,default=ndjson"`
	// Names of the parts of an event: `native` for the record as BloodHound serves it, with `event_id` and `tenant` in front; `ecs`
	// for the Elastic Common Schema, or `ocsf` for the Open Cybersecurity Schema Framework. These two have the whole record as well.
	// A stream that has begun goes on with another schema after `houndtrail move`.
	Schema WebhookSchema `env:"SCHEMA,default=native" oneof:"native ecs ocsf"`
	// Proxies of your own in front of BloodHound. Each of them adds the address that it sees to the end of the record's
	// `source_ip_address`. The schemas `ecs` and `ocsf` take the address in front of these as the source. 0 takes the last one,
	// which is the address that BloodHound itself sees.
	TrustedProxies int `env:"TRUSTED_PROXIES,default=0" min:"0" max:"32"`
	// Source of the records. With `archive`, the stream follows the commits of the archive, so that BloodHound is asked once for
	// both, and a new receiver gets everything that the archive holds. It needs `ARCHIVE_URL`, and the right to read the archive.
	Source WebhookSource `env:"SOURCE,default=api" oneof:"api archive"`
	// Which records go to the receiver, in the grammar of the API: `column=predicate:value`, with `&` between two filters, which
	// must both hold. The journal counts the others as `filtered`. They never go out later, also if the filter changes. In a
	// value, write `%26` for `&` and `%25` for `%`.
	Filter Filter `env:"FILTER" shown:"all records" example:"status=neq:intent"`
	// Send one event for an action instead of two: the outcome, with the time of its intent and the duration. An intent waits for its
	// outcome, for SETTLE + OVERLAP at most. If none comes, it goes out alone, with the mark `unpaired`. docs/siem.md has the names.
	Pairs bool `env:"PAIRS,default=false"`
	// Value of the `Authorization` header, scheme included. With the format `datadog`, it is the API key, and goes into the header
	// `DD-API-KEY`.
	Authorization Secret `env:"AUTHORIZATION" example:"Bearer the-token"`
	OAuth         OAuth  `env:",prefix=OAUTH_"`
	// One or two secrets of Standard Webhooks, with which Houndtrail signs each post: `whsec_` and base64. During a change of the
	// secret, give both with a blank in between, the new one first.
	SigningSecrets SigningSecrets `env:"SIGNING_SECRETS" example:"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="`
	// PEM file of the client certificate for a receiver that demands one, with those that lead to its authority behind it.
	ClientCert PEMFile `env:"CLIENT_CERT_FILE" example:"/run/secrets/houndtrail.crt"`
	// PEM file of the certificate's key, without a password.
	ClientKey PEMFile `env:"CLIENT_KEY_FILE" example:"/run/secrets/houndtrail.key"`
	// More headers, `Name: value`, separated by commas; or one header a line, and then values may contain commas.
	Headers Headers `env:"HEADERS" example:"X-Source: houndtrail, X-Site: hq"`
	// Records in one batch, at most.
	BatchRecords int `env:"BATCH_RECORDS" shown:"the format's" example:"1000" min:"1" max:"100000"`
	// Size of one batch before compression, at most. A larger record is a batch of its own.
	BatchBytes ByteSize `env:"BATCH_BYTES" shown:"the format's" example:"1MiB" min:"1KiB" max:"256MiB"`
	// Size from which a record is cut for the receiver: its `fields` keep their beginning, with their size and their SHA-256 beside
	// them. Some receivers drop a longer line while they say that they have it (VictoriaLogs: 256KiB). The archive keeps the whole.
	RecordBytes ByteSize `env:"RECORD_BYTES" shown:"the format's" example:"200KiB" min:"4KiB" max:"64MiB"`
	// Send records that are older than the receiver takes, as a backlog or a backfill has them. `datadog` drops records of 18 hours
	// while it says that it has them: with this setting, all records get the time of their arrival, and `created_at` keeps theirs.
	// `loki` refuses records of a week, unless you have raised its limit. Without this setting, the stream stops in front of them.
	AllowStale bool `env:"ALLOW_STALE,default=false"`
	// Send the `event_id` also as structured metadata of each entry, to the format `loki`. An old Loki refuses that (schema 12 and
	// below).
	LokiMetadata bool `env:"LOKI_METADATA,default=true"`
	// Compression of the body. `zstd` is about 30% smaller than gzip, and only some receivers know it, such as VictoriaLogs.
	Compression Compression `env:"COMPRESSION,default=gzip" oneof:"gzip zstd none"`
	// Batches that Houndtrail sends at the same time, at most. More of them help if the receiver is far away.
	InFlight int `env:"IN_FLIGHT,default=8" min:"1" max:"100"`
	// Requests a second to the receiver, at most, by all posts of one process together; 0 for no limit.
	Rate PostRate `env:"RATE" shown:"no limit" example:"5"`
	// Conditions for an answer to count as a success, in addition to a 2xx that is no HTML page: a status such as `204`, or a
	// value in its JSON such as `json:.text=Success`. Separate several by commas: the answer must have one of the statuses, and
	// all of the values.
	Expect Expect `env:"EXPECT" shown:"any 2xx that is no HTML page" example:"200,json:.text=Success"`
	// How long one post may take.
	Timeout time.Duration `env:"TIMEOUT,default=30s" min:"100ms" max:"10m"`
	// Tell the receiver the newest heads of the journals as well, at most once an hour: events of the type `houndtrail.head`. So
	// the receiver remembers them, whatever becomes of the journals. They are no records, and have no `id`.
	Heads bool `env:"HEADS,default=false"`
	// Tell the receiver the troubles of the streams themselves: events of the type `houndtrail.alarm`, one when a state begins and
	// one when it ends. docs/siem.md lists them. They are no records, and have no `id`.
	Alarms bool `env:"ALARMS,default=false"`
	// PEM file of certificate authorities to trust besides the system's, for a receiver behind a private one.
	CA  CAFile `env:"CA_FILE" example:"/etc/ssl/acme.pem"`
	HEC HEC    `env:",prefix=HEC_"`
}

// HEC has settings of the format splunk-hec alone.
type HEC struct {
	// Splunk index of the events.
	Index string `env:"INDEX" shown:"the token's" example:"security"`
	// Source type of the events.
	Sourcetype string `env:"SOURCETYPE,default=bloodhound:audit"`
	// Count a batch as delivered only when Splunk has indexed it. The token must have indexer acknowledgment switched on, and a
	// load balancer needs sticky sessions.
	Ack bool `env:"ACK,default=false"`
	// After Splunk has refused one event of a batch, do not send the events before it again: Splunk has indexed them. Other
	// receivers of HEC have stored none of them, and would lose them.
	Resume bool `env:"RESUME,default=false"`
}

// OAuth gets tokens for the webhook's posts, in place of a fixed AUTHORIZATION.
type OAuth struct {
	// Token endpoint of OAuth 2.0, which gives Houndtrail a bearer token for the client's secret. Turns OAuth on.
	TokenURL HTTPURL `env:"TOKEN_URL" example:"https://login.microsoftonline.com/the-directory/oauth2/v2.0/token"`
	// Id of the client, which Azure calls the application.
	ClientID string `env:"CLIENT_ID" example:"0f8fad5b-d9cb-469f-a165-70867728950e"`
	// Secret of the client.
	ClientSecret Secret `env:"CLIENT_SECRET" example:"the-secret"`
	// What the token is for. Some endpoints need it: Azure does.
	Scope string `env:"SCOPE" example:"https://monitor.azure.com//.default"`
}

// Checkpoint is the place of the streams' positions.
type Checkpoint struct {
	// Place of the journals: `s3://bucket/prefix` or `file:///dir`. Required if only a webhook is set.
	URL StoreURL `env:"URL" shown:"ARCHIVE_URL with /checkpoints" example:"s3://bucket/houndtrail/checkpoints"`
}

// Anchor is the second place that remembers the heads of the journals.
type Anchor struct {
	// Second place that remembers the heads of the journals, each in an object that is created and never replaced:
	// `s3://bucket/prefix` or `file:///dir`. A run stops if its journal is smaller than a remembered head, or had another one at
	// that size. Take a bucket of another account, with rights to create, read and list there, and none to delete. Encryption by
	// default and retention are the bucket's own; endpoint, region and login are those of the other `s3://` URLs.
	URL StoreURL `env:"URL" shown:"heads are remembered in the log only" example:"s3://another-account/heads"`
	// When the daemon writes the newest heads there, if they have changed, in the form of SCHEDULE. It also does so when it stops,
	// and a job (`run --once`, `backfill`) at its end.
	Schedule Schedule `env:"SCHEDULE,default=@hourly"`
}

// Window bounds one window of a cycle: sparse history goes in long windows, dense history in short ones.
type Window struct {
	// Longest span of a window. A time without any record is one window, however long it is.
	Max time.Duration `env:"MAX,default=720h" min:"1s" max:"87600h"`
	// Most records in a window; memory grows with it.
	Records int `env:"RECORDS,default=50000" min:"1" max:"10000000"`
}

// Log says which lines go to standard error, and their form.
type Log struct {
	// Least level that is logged.
	Level zapcore.Level `env:"LEVEL,default=info" oneof:"debug info warn error"`
	// Form of a line; `auto` is console on a terminal and JSON elsewhere.
	Format LogFormat `env:"FORMAT,default=auto" oneof:"auto json console"`
}
