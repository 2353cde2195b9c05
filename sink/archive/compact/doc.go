// Package compact makes one object of a closed day's many small ones: with the same records, sorted by (created_at, id), in the same
// partition and with the best compression. A query that reads a day then opens one object and not hundreds.
//
// The steps for the objects of one day, and the effect of a crash at each line:
//
//	list, read, merge     outside of the lease          nothing has happened
//	take the lease        the stream's own              nothing has happened
//	probe                 may objects be deleted?       an object that no reader takes for a part of the archive
//	write the intent      <stream>/state/compact.json   nothing has happened
//	put the new object                                  queries see the records twice
//	read it back          and compare it                the same
//	commit an entry       of kind compact               the same
//	delete the old ones                                 some records are there twice
//	clear the intent                                    done
//
// The next compaction finishes what an intent names before anything else: with the same objects and under the same key. So a
// compactor that was taken for dead, and whose last request still arrives, meets its own work. An intent that is lost does no
// harm either: the new object is then one more object of its day, and records that are alike in every column become one.
//
// Nothing but the next compaction needs to know of a half one. The exporter goes by its set of delivered ids, and no attempt at a
// window replaces an object that an entry names. Objects of attempts that are not committed are left alone.
//
// An object is merged only if its SHA-256 is the one that the journal names; a changed object is a finding ([ErrFinding]), and
// stays. So is an object that no entry names, if it has a record that no other object has.
//
// The package also removes objects on purpose ([Compactor.Forget]), in the same order of steps and with the same intent:
//
//	list, compare         outside of the lease          nothing has happened
//	take the leases       the backfill's for all of it, the stream's for each entry
//	write the intent      <stream>/state/compact.json   nothing has happened
//	commit an entry       of kind forget                the objects are there, and the journal says that they go
//	delete the objects                                  some are there
//	clear the intent                                    done
//
// The next compaction or removal deletes what such an entry names and is still there. If there is no entry yet, it only clears the
// intent: nothing was removed, and the person who asked for it has got no answer.
//
// Memory is bounded whatever a day holds. Of an object under way only the row group, or the line, that is next in order is decoded.
// If a day's objects are more than memory holds, they become several.
package compact
