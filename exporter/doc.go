// Package exporter runs one cycle of a stream: it reads the records that are due, drops the delivered ones, writes the rest and
// commits the position. The steps, each with its file:
//
//	moment     clock.go       the cycle goes by the earlier of two clocks
//	load       begin.go       the last commit, or the start of a new stream
//	walk       walk.go        the unfinished windows, then the due ones, then history, rescan and the time ahead
//	for each window of a walk, oldest first:
//	  plan     plan.go        how long it is
//	  fetch    fetch.go       its records; several windows at a time if the server is far away
//	  admit    pipeline.go    the records that were not delivered
//	  encode   encode.go      ahead of its turn, and beside that:
//	  count    count.go       the records read, against the server's count
//	  check    continuity.go  that the log goes on from the delivered records
//	  declare  flight.go      in the lease, before a byte is written
//	  write    flight.go      several windows at a time
//	  commit   commit.go      in order, position and delivered ids in one entry
//
// A window may be too large for memory although it cannot be cut, such as one instant of an import. Houndtrail takes it in
// parts: it reads the window once to admit its records, and a second time, part by part, to write them.
//
// A failed step ends the cycle; the next one starts from the last commit. Data first, position second: after a crash between
// the two, the next run repeats a window, and the sink's contract makes the repetition harmless.
package exporter
