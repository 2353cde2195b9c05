// Package exporter runs one cycle of a stream: it reads what is due, drops what was delivered, writes the rest and
// commits the position. The steps, with the file that has each:
//
//	moment     clock.go       the cycle goes by the earlier of two clocks
//	load       begin.go       the last commit, or where a new stream begins
//	walk       walk.go        what is unfinished, then what is due, then history, rescan and what is ahead
//	for each window of a walk, oldest first:
//	  plan     plan.go        how long it is
//	  fetch    fetch.go       its records, of several windows at a time if the server is far away
//	  admit    pipeline.go    those that were not delivered
//	  encode   encode.go      ahead of its turn, and beside that:
//	  count    count.go       what was read, against what the server counts
//	  check    continuity.go  that the log goes on from what was delivered
//	  declare  flight.go      in the lease, before a byte is written
//	  write    flight.go      several windows at a time
//	  commit   commit.go      in order, position and delivered ids in one entry
//
// A window that cannot be cut and does not fit into memory, such as an instant of an import, takes the same way in parts: read
// once to admit it, and once more, part by part, to write it.
//
// A failed step ends the cycle; the next one starts from the last commit. Data first, position second: a crash between
// the two repeats a window, and the sink's contract makes the repetition harmless.
package exporter
