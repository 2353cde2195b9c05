// Package search finds records in an archive, with the filters of BloodHound's API. It reads no journal. If no commit names the
// file of a record yet, the search still finds the record, since BloodHound sent it.
//
// It lists the wanted days, and opens each file with one request that reads the end of the file. For a small file, this is the
// whole file. Of a larger file it reads only the parts that can have wanted records. If a compaction was killed, a record may
// be in two files of a day. The search finds it once.
//
// However many records it finds, and however large they are, it holds a limited number of bytes. When it has found more than it
// may hold, it keeps the first ones. Then it searches the days again for the records after them.
package search
