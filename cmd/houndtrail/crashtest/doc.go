// Package crashtest has tests of the real binary, with real servers around it. They kill it at random moments (TestKilled),
// also during a backfill (TestBackfillKilled). They slow, cut and reset its network at random (TestNetworkFaults). They serve a
// million records from a server that fails one request in ten (TestMillion). The package has only tests.
//
// Each test ends with a check that does not trust the program: it compares the records of the archive, of the log store and of
// both journals with the table of the test double. Each test prints its figures.
//
// By default the numbers are small, so that "go test ./..." stays quick. The full size:
//
//	go test ./cmd/houndtrail/crashtest -v -crash.kills=100 -crash.faults=100 -crash.records=1000000
//
// A run is random. It prints its seed, and -crash.seed repeats it. The same seed chooses the same rows, moments and faults. But
// the machine decides what the program does at such a moment.
package crashtest
