// Package format knows which bodies each kind of receiver takes, and what the receiver's answers mean. A receiver has one file, and
// one line in the table from which [New] chooses. The package is pure. Package webhook cuts batches, compresses them, sends them,
// and decides when to try again.
package format
