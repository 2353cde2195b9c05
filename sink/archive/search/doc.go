// Package search finds records in an archive, with the filters of BloodHound's API. It reads no journal: a record of a file that no
// commit names yet is a record all the same, since BloodHound served it.
//
// It lists the days that are asked for, and opens their files with one request each, which reads the end of a file: a small file is
// read whole by that. Of a larger one, it reads only the parts in which wanted records can be. A record that is in two files of a day,
// because a compaction was killed, is found once.
//
// It holds a bounded number of bytes, however many records it finds and whatever they hold: when it has found more than it may hold,
// it keeps those that come first, and searches the days again for those behind them.
package search
