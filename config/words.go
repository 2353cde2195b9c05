package config

// The allowed values of each type are in the oneof tag of its setting.
type (
	// ArchiveFormat is the form of archive files.
	ArchiveFormat string
	// Compression is the compression of webhook bodies.
	Compression string
	// WebhookSource is the source of the webhook stream.
	WebhookSource string
	// WebhookSchema names the parts of a webhook's events: the name of a schema of package schema.
	WebhookSchema string
	// SSE is S3's server-side encryption; "" leaves it to the bucket.
	SSE string
	// ObjectLockMode is S3's retention mode; "" leaves it to the bucket.
	ObjectLockMode string
	// StorageClass is S3's storage class; "" is STANDARD.
	StorageClass string
	// VerifyCount says whether Houndtrail compares windows with the server's own count.
	VerifyCount string
	// OnBadRecord says what Houndtrail does about a record that it cannot take.
	OnBadRecord string
	// DeadLetter says what Houndtrail does about a record that the webhook's receiver refuses.
	DeadLetter string
	// LogFormat is the form of log lines.
	LogFormat string
)

// The words that the program acts on; a test compares them with the tags. The program only passes storage classes on.
const (
	ArchiveParquet    ArchiveFormat = "parquet"
	ArchiveNDJSON     ArchiveFormat = "ndjson"
	ArchiveNDJSONZstd ArchiveFormat = "ndjson-zstd"

	CompressionGzip Compression = "gzip"
	CompressionZstd Compression = "zstd"
	CompressionNone Compression = "none"

	SourceAPI     WebhookSource = "api"
	SourceArchive WebhookSource = "archive"

	SchemaNative WebhookSchema = "native"
	SchemaECS    WebhookSchema = "ecs"
	SchemaOCSF   WebhookSchema = "ocsf"

	SSEAES256 SSE = "AES256"
	SSEKMS    SSE = "aws:kms"

	LockGovernance ObjectLockMode = "GOVERNANCE"
	LockCompliance ObjectLockMode = "COMPLIANCE"

	VerifyWindow VerifyCount = "window"
	VerifyOff    VerifyCount = "off"

	BadRecordStop       OnBadRecord = "stop"
	BadRecordQuarantine OnBadRecord = "quarantine"

	DeadLetterOff DeadLetter = "off"
	DeadLetterOn  DeadLetter = "on"

	LogAuto    LogFormat = "auto"
	LogJSON    LogFormat = "json"
	LogConsole LogFormat = "console"
)
