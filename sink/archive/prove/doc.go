// Package prove makes the proof of one record of an archive: its row, the path to the records_root of the object in which it was
// delivered, the entry that names that object, and the path from the entry to a signed head ([seal.Bundle]).
//
// It reads the journals and the archive, also as a copy, and needs no key. After a compaction the object of the delivery is gone. Its
// rows are among those of the object that took its place, and the compaction's entry tells which ones they are. So the proof stays the
// same for ever.
package prove
