// Package format knows what each kind of receiver takes and what its answers mean: one file a receiver, and one line in the table
// [New] chooses from. It is pure. Package webhook cuts batches, compresses them, sends them and decides when to try again.
package format
