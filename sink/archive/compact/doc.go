// Package compact replaces the many small objects of a closed day by one object: with the same records, sorted by (created_at,
// id), in the same partition and with the best compression. Then a query that reads a day opens one object instead of hundreds.
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
// The next compaction first finishes the work of an intent: with the same objects, and under the same key. A compactor may seem
// dead, and its last request may still arrive: then it finds exactly its own work done. If the intent is lost, that does no
// harm: the new object is then one more object of its day, and records that are equal in every column become one.
//
// Only the next compaction has to know about an unfinished one. The exporter does not: it uses its set of delivered ids, and no
// attempt at a window replaces an object that an entry names. A compaction does not touch the objects of attempts that are not
// committed.
//
// It merges an object only if the object's SHA-256 is the one in the journal. A changed object is a finding ([ErrFinding]), and
// stays. An object that no entry names is a finding too if it has a record that no other object has.
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
// The next compaction or removal deletes the objects that such an entry names and that still exist. If there is no entry yet,
// it only clears the intent: nothing was removed, and the user who asked for the removal has got no answer.
//
// However many records a day has, the memory has a limit. The compactor decodes only the next row group, or the next line, of
// each object. If memory cannot hold a day's objects, they become several objects.
package compact
