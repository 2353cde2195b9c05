// Package exporter runs one cycle of a stream: it reads what is due, drops what was delivered, writes the rest and
// commits the position.
//
//	Load checkpoint -> for each due window, oldest first:
//	    Source.Fetch(window) -> Set.Admit -> Sink.Write(window, fresh) -> Store.Commit
//
// A failed step ends the cycle; the next one starts from the last commit. Data first, position second: a crash between
// the two repeats a window, and the sink's contract makes the repetition harmless.
package exporter
