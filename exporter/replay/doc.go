// Package replay is a source over an archive: the exporter reads from it as from BloodHound, and BloodHound is not asked.
//
// It reads the journals of the archive and of its backfill, and takes only objects that an entry has committed: an object of an
// attempt that is not committed is no part of it. If a compaction has replaced an object, its records come from the new object. If
// a person has removed an object on purpose, or the archive has a hole, the batch says so with a hole. If the archive does not hold
// a time at all, the source returns an error, and never an empty answer.
//
// A stream can also follow the archive ([Source.Follow]). Late records are the reason why windows of time are not enough for that:
// a rescan, a history or a backfill commits records that are older than the stream's position, by up to years. So the stream
// remembers up to which entry of each journal it has delivered everything. The records of later entries that are older than its
// position are a source of their own, [Source] too.
//
// The package reads objects through [Files], and knows neither their format nor their store.
package replay
