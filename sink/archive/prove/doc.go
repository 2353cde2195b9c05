// Package prove makes the proof of one record of an archive ([seal.Bundle]). The proof has the record's row, and the path to
// the records_root of the object of its delivery. It also has the entry that names that object, and the path from the entry to
// a signed head.
//
// It reads the journals and the archive, or copies of them, and needs no key. After a compaction, the object of the delivery is
// gone. The new object has its rows, and the compaction's entry tells which rows these are. So the proof stays the same for
// ever.
package prove
