// Package alarm tells a receiver the troubles of the streams themselves, as events of the type houndtrail.alarm. So the rules of
// a SIEM can watch the exporter that feeds it.
//
// The [Teller] compares the facts of each stream with what it told last, and posts the differences. It remembers beside the journal
// which alarms have begun, before the post, and what it has told, after the post. If the process crashes in between, the receiver gets
// an alarm twice, with the same event_id, and never none. The facts come from the journals and from the end of a cycle, so a process
// that starts anew finds them again.
package alarm
