package grafana

const day = 86400 // seconds

// rows is the dashboard's content. The first row answers the first question: is everything archived? A number that is only good
// while Houndtrail works, such as the time left, is taken as it last was for up to two days. So a pod that is gone does not clear
// the alarm.
func rows() []row {
	return []row{glance(), lag(), records(), delivery(), evidence(), cost(), watched()}
}

func glance() row {
	const gone = "no metrics"
	bad := colours("green", from(1, "red"))
	return row{"At a glance", 5, []view{
		{
			title: "State", kind: stat, width: 9, named: true, none: gone, steps: colours("green", from(1, "yellow"), from(2, "red")),
			about: "The end of each stream's last cycle, in the words of houndtrail status. Only a green one is well.",
			queries: []query{
				q(`0 * (max $by, state) (houndtrail_stream_state{$s,state=~"ok|waiting|not_started"}) > 0)`, "{{state}}"),
				q(`2 * (max $by, state) (houndtrail_stream_state{$s,state!~"ok|waiting|not_started"}) > 0)`, "{{state}}"),
				q(`1 + (max $by) (houndtrail_stream_state{$s}) == 0)`, "no cycle has ended yet"),
				p(`3 * (max by (tenant) (last_over_time(houndtrail_build_info{$t}[2d])) unless max by (tenant) (houndtrail_build_info{$t}))`,
					"has no metrics any more"),
			},
		},
		{
			title: "Waits for a person", kind: stat, width: 3, none: gone, steps: bad,
			about:   "Streams that have stopped for good. houndtrail status names the reason, and the command that goes on.",
			queries: []query{{fill(`sum(max $by, reason) (last_over_time(houndtrail_stream_stopped{$s}[2d])))`), "streams"}},
		},
		{
			title: "Next success is due in", kind: stat, width: 4, unit: "s", none: gone, steps: colours("red", from(0, "green")),
			about:   "Below zero, the stream is stale: nothing was exported for two runs of its schedule.",
			queries: []query{q(`max $by) (last_over_time(houndtrail_success_due_timestamp_seconds{$s}[2d])) - time()`)},
		},
		{
			title: "Left until records are lost", kind: stat, width: 4, unit: "s", none: "no limit known",
			steps: colours("red", from(7*day, "orange"), from(14*day, "green")),
			about: "The time until BloodHound may drop records that are not exported yet.",
			queries: []query{
				q(`max $by) (last_over_time(houndtrail_retention_deadline_timestamp_seconds{$s}[2d])) - time()`),
			},
		},
		{
			title: "Holes", kind: stat, width: 2, none: gone, steps: bad, about: "Unreadable records that were left out, in the time range.",
			queries: []query{{fill(`sum(increase(houndtrail_holes_total{$s}[$__range]))`), "records"}},
		},
		{
			title: "Tampered", kind: stat, width: 2, none: "not verified", steps: bad,
			about:   "Errors that the last verification of each stream found.",
			queries: []query{{fill(`sum(last_over_time(houndtrail_verification_findings{$s,severity="error"}[2d]))`), "errors"}},
		},
	}}
}

func lag() row {
	return row{"Lag and retention", 8, []view{
		{
			title: "Behind the present", kind: chart, width: 8, unit: "s",
			about:   "The age of the position now. It also grows while nothing works.",
			queries: []query{q(`time() - max $by) (houndtrail_cursor_timestamp_seconds{$s})`)},
		},
		{
			title: "Lag at the last success", kind: chart, width: 8, unit: "s", about: "By BloodHound's clock.",
			queries: []query{q(`max $by) (houndtrail_lag_seconds{$s})`)},
		},
		{
			title: "Since the last success", kind: chart, width: 8, unit: "s",
			queries: []query{q(`time() - max $by) (houndtrail_last_success_timestamp_seconds{$s} > 0)`)},
		},
		{
			title: "Left until records are lost", kind: chart, width: 8, unit: "s",
			queries: []query{q(`max $by) (houndtrail_retention_deadline_timestamp_seconds{$s}) - time()`)},
		},
		{
			title: "Age of BloodHound's oldest record", kind: chart, width: 8, unit: "s", about: "Houndtrail looks for it once a day.",
			queries: []query{q(`time() - max $by) (houndtrail_source_oldest_timestamp_seconds{$s})`)},
		},
		{
			title: "BloodHound's clock is ahead by", kind: chart, width: 8, unit: "s", about: "More than a minute, on either side, is a warning.",
			queries: []query{q(`max $by) (houndtrail_clock_skew_seconds{$s})`)},
		},
	}}
}

func records() row {
	return row{"Records and holes", 8, []view{
		{
			title: "Records by what became of them", kind: chart, width: 8,
			queries: []query{q(`sum $by, kind) (increase(houndtrail_records_total{$s}[$__rate_interval]))`, "{{kind}}")},
		},
		{
			title: "Records by BloodHound's own count", kind: chart, width: 8, about: "exact: the count agrees. unknown: completeness is not shown.",
			queries: []query{q(`sum $by, count) (increase(houndtrail_counted_records_total{$s}[$__rate_interval]))`, "{{count}}")},
		},
		{
			title: "Left out, refused, altered or gone", kind: chart, width: 8,
			queries: []query{
				q(`sum $by) (increase(houndtrail_dead_letters_total{$s}[$__rate_interval]))`, "in the dead letter"),
				q(`sum $by) (increase(houndtrail_holes_total{$s}[$__rate_interval]))`, "left out"),
				q(`sum $by, how) (increase(houndtrail_changed_records_total{$s}[$__rate_interval]))`, "{{how}} at BloodHound"),
			},
		},
	}}
}
