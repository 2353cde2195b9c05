// Package crashtest holds the tests that treat houndtrail as life does: the real binary, with real servers around it,
// is killed at random moments (TestKilled), also while it backfills (TestBackfillKilled), and its network is slowed, cut
// and reset at random (TestNetworkFaults); a million records come from a server that fails one request in ten
// (TestMillion). There is no code here but tests.
//
// Each of them ends with a judgement that shares nothing with the program's own view: the records of the archive, of
// the log store and of both journals are compared with the table of the test double. What was counted on the way is
// printed.
//
// By default the numbers are small, so that "go test ./..." stays quick. The whole of it:
//
//	go test ./cmd/houndtrail/crashtest -v -crash.kills=100 -crash.faults=100 -crash.records=1000000
//
// A run is random; its seed is printed, and -crash.seed takes it. The same seed chooses the same rows, moments and
// faults, but what the program is doing at such a moment is up to the machine.
package crashtest
