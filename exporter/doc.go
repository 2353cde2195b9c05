// Package exporter runs one cycle of a stream: it reads what is due, drops what was delivered, writes the rest and
// commits the position.
//
//	Load checkpoint -> for each due window, oldest first:
//	    Source.Fetch(window) -> Set.Admit -> Sink.Write(window, fresh) -> Store.Commit
//
// A window that cannot be cut and does not fit into memory, such as an instant of an import, takes the same way in parts: read
// once to admit it, and once more, part by part, to write it.
//
// A failed step ends the cycle; the next one starts from the last commit. Data first, position second: a crash between
// the two repeats a window, and the sink's contract makes the repetition harmless.
package exporter
