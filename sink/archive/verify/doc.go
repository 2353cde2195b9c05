// Package verify checks an archive and its journals against each other, without trusting either: every entry of the journals, and
// every object that they name.
//
// A verification writes nothing, and needs no secret but the right to read. It collects all findings. Each names what is not as it
// should be, and what to do. What could not be read is no finding but an error: it must not pass for a sound archive.
//
// A journal passes three stages. A chain decides which entries are the ones that were committed, by the hash that the next entry
// has of each. An account adds the entries up, and looks for time that no entry accounts for. A store is asked for each object of
// an entry. In the end the objects are listed: one that no entry names was left by an attempt, or smuggled in.
//
// Entries and objects are read side by side, and memory does not grow with them but for eight bytes an object and, to find a record
// that is there twice, a compressed set of ids.
package verify
