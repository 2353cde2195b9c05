package grafana

func delivery() row {
	return row{"Delivery", 8, []view{
		{
			title: "Cycles by their end", kind: chart, width: 8,
			queries: []query{q(`sum $by, result) (increase(houndtrail_cycles_total{$s}[$__rate_interval]))`, "{{result}}")},
		},
		{
			title: "Windows, and objects or batches", kind: chart, width: 8,
			queries: []query{
				q(`sum $by) (increase(houndtrail_commits_total{$s}[$__rate_interval]))`, "windows"),
				q(`sum $by) (increase(houndtrail_objects_total{$s}[$__rate_interval]))`, "objects"),
			},
		},
		{
			title: "Bytes a second", kind: chart, width: 8, unit: "Bps",
			queries: []query{q(`sum $by) (rate(houndtrail_bytes_total{$s}[$__rate_interval]))`)},
		},
		{
			title: "Time of the last window", kind: chart, width: 8, unit: "s",
			queries: []query{q(`max $by) (houndtrail_commit_duration_seconds{$s})`)},
		},
		{
			title: "Posts to the webhook, by status", kind: chart, width: 8, about: "Status 0: no answer came.",
			queries: []query{p(`sum by (tenant, status) (increase(houndtrail_webhook_posts_total{$t}[$__rate_interval]))`, "{{status}}")},
		},
		{
			title: "Posts tried again, and records set aside", kind: chart, width: 8,
			queries: []query{
				p(`sum by (tenant, reason) (increase(houndtrail_webhook_retries_total{$t}[$__rate_interval]))`, "again: {{reason}}"),
				p(`sum by (tenant) (increase(houndtrail_webhook_aside_records_total{$t}[$__rate_interval]))`, "set aside by the receiver"),
			},
		},
	}}
}

func evidence() row {
	return row{"Evidence and verification", 8, []view{
		{
			title: "Since the last sound verification", kind: chart, width: 8, unit: "s",
			queries: []query{q(`time() - max $by) (houndtrail_verification_last_success_timestamp_seconds{$s} > 0)`)},
		},
		{
			title: "Next verification is due in", kind: chart, width: 8, unit: "s",
			queries: []query{q(`max $by) (houndtrail_verification_due_timestamp_seconds{$s}) - time()`)},
		},
		{
			title: "Findings of the last verification", kind: chart, width: 8,
			queries: []query{q(`max $by, severity) (houndtrail_verification_findings{$s})`, "{{severity}}")},
		},
		{
			title: "Verifications by their end", kind: chart, width: 8,
			queries: []query{q(`sum $by, result) (increase(houndtrail_verification_runs_total{$s}[$__rate_interval]))`, "{{result}}")},
		},
		{
			title: "Entries and objects that verifications read", kind: chart, width: 8,
			queries: []query{
				q(`sum $by) (increase(houndtrail_verification_entries_total{$s}[$__rate_interval]))`, "entries"),
				q(`sum $by) (increase(houndtrail_verification_objects_total{$s}[$__rate_interval]))`, "objects"),
			},
		},
		{
			title: "Time of the last verification", kind: chart, width: 8, unit: "s",
			queries: []query{q(`max $by) (houndtrail_verification_duration_seconds{$s})`)},
		},
		{
			title: "Since the newest head was at ANCHOR_URL", kind: chart, width: 8, unit: "s",
			queries: []query{q(`time() - max $by) (houndtrail_anchor_last_success_timestamp_seconds{$s} > 0)`)},
		},
		{
			title: "Entries in the newest head at ANCHOR_URL", kind: chart, width: 8,
			queries: []query{q(`max $by) (houndtrail_anchor_size{$s})`)},
		},
		{
			title: "Failed tries at ANCHOR_URL", kind: chart, width: 8,
			queries: []query{q(`sum $by, what) (increase(houndtrail_anchor_failures_total{$s}[$__rate_interval]))`, "{{what}}")},
		},
	}}
}

func cost() row {
	return row{"Cost", 8, []view{
		{
			title: "Requests to BloodHound, by status", kind: chart, width: 8,
			queries: []query{p(`sum by (tenant, status) (increase(houndtrail_requests_total{$t}[$__rate_interval]))`, "{{status}}")},
		},
		{
			title: "Requests tried again", kind: chart, width: 8,
			queries: []query{p(`sum by (tenant, reason) (increase(houndtrail_retries_total{$t}[$__rate_interval]))`, "{{reason}}")},
		},
		{
			title: "Time of a request to BloodHound", kind: chart, width: 8, unit: "s",
			queries: []query{
				p(`histogram_quantile(0.5, sum by (tenant, le) (rate(houndtrail_request_duration_seconds_bucket{$t}[$__rate_interval])))`, "median"),
				p(`histogram_quantile(0.99, sum by (tenant, le) (rate(houndtrail_request_duration_seconds_bucket{$t}[$__rate_interval])))`, "99%"),
			},
		},
		{
			title: "Compactions by their end", kind: chart, width: 8,
			queries: []query{q(`sum $by, result) (increase(houndtrail_compact_runs_total{$s}[$__rate_interval]))`, "{{result}}")},
		},
		{
			title: "Next compaction is due in, and since the last", kind: chart, width: 8, unit: "s",
			queries: []query{
				q(`max $by) (houndtrail_compact_due_timestamp_seconds{$s}) - time()`, "due in"),
				q(`time() - max $by) (houndtrail_compact_last_success_timestamp_seconds{$s} > 0)`, "since the last"),
			},
		},
		{
			title: "Days and files of compactions", kind: chart, width: 8,
			queries: []query{
				q(`sum $by) (increase(houndtrail_compact_days_total{$s}[$__rate_interval]))`, "days"),
				q(`sum $by, kind) (increase(houndtrail_compact_objects_total{$s}[$__rate_interval]))`, "files {{kind}}"),
			},
		},
		{
			title: "Bytes of compactions", kind: chart, width: 8, unit: "bytes",
			queries: []query{q(`sum $by, kind) (increase(houndtrail_compact_bytes_total{$s}[$__rate_interval]))`, "{{kind}}")},
		},
		{
			title: "Memory", kind: chart, width: 8, unit: "bytes", about: "Of the processes that have Houndtrail's metrics.",
			queries: []query{{
				fill(`process_resident_memory_bytes * on (job, instance) group_left (tenant) houndtrail_build_info{$t}`), "{{tenant}} {{instance}}",
			}},
		},
		{
			title: "Processor", kind: chart, width: 8, unit: "percentunit",
			about: "1 is one processor. Of the processes that have Houndtrail's metrics.",
			queries: []query{{
				fill(`rate(process_cpu_seconds_total[$__rate_interval]) * on (job, instance) group_left (tenant) houndtrail_build_info{$t}`),
				"{{tenant}} {{instance}}",
			}},
		},
	}}
}

// watched is what only houndtrail watch tells: also of streams that CronJobs run.
func watched() row {
	return row{"Journals, by houndtrail watch", 8, []view{
		{
			title: "Failed runs in a row, and the exit code of the last", kind: chart, width: 8,
			queries: []query{
				q(`max $by) (houndtrail_failed_runs{$s})`, "failed runs"),
				q(`max $by) (houndtrail_exit_code{$s})`, "exit code"),
			},
		},
		{
			title: "Since the first failure, until a pause ends, since the last round of watch", kind: chart, width: 8, unit: "s",
			queries: []query{
				q(`time() - max $by) (houndtrail_failing_since_timestamp_seconds{$s})`, "since the first failure"),
				q(`max $by) (houndtrail_paused_until_timestamp_seconds{$s}) - time()`, "until the receiver takes requests"),
				{`time() - max(houndtrail_watch_last_round_timestamp_seconds > 0)`, "since the last round"},
			},
		},
		{
			title: "Entries of the journals, and records in the dead letter", kind: chart, width: 8,
			queries: []query{
				q(`max $by) (houndtrail_journal_entries{$s})`, "entries"),
				q(`max $by) (houndtrail_dead_letters{$s})`, "dead letters"),
			},
		},
		{
			title: "Watch can read the store", kind: chart, width: 8, about: "0: it could not read the store in its last round.",
			queries: []query{{`min(houndtrail_watch_readable)`, "can read"}},
		},
	}}
}
