// Package simulation is the project's central test: a deterministic world, driven by one seed, under virtual time. There
// is no code here but tests.
//
// A world is a BloodHound of one of the server profiles, whose rows appear late, out of the order of their ids, with
// ties, gaps and bursts; a store of positions and one of objects, and a receiver of webhooks, each of which fails before
// or after it has done what was asked, falls silent, answers slowly, or does it when the caller waits no longer; and
// runners that overlap, are killed at any call and started again, or stand still past their lease and go on as if nothing
// had happened. The log is pruned, the last hours are searched for stragglers, and rows appear just when their window is
// being written, or at the last moment that is promised. Some worlds have more trouble than that:
//
//   - our clock, the server's and the stores' are set forward and back by up to 5 minutes, or the server's Date is wrong
//     by 55 minutes or 20 hours for the time of one cycle;
//   - the first answers are empty, in each of three ways; or rows come to light, after the first cycle or between a first
//     attempt and the next, that are older than all others;
//   - a third of the answers are those of a replica that lags;
//   - the archive's journal is lost, with its lease or without, or is only elsewhere for a while: a person adopts the archive,
//     or puts the journal back;
//   - the database is restored from a backup, and ids are handed out a second time: a person accepts it, at once or later;
//   - instants have more rows than a window may hold, and are written in parts, between which processes die;
//   - the delivered ids are written as changes and as objects of their own from a few bytes on, and processes die between such
//     an object and the entry that names it;
//   - the receiver is sent up to 8 batches at a time, which arrive and fail in any order;
//   - a backfill of what is before an asked start goes on beside all of this, and dies as any process does.
//
// After every effect the invariants are checked:
//
//   - no committed window lacks a record that was visible when its cycle began, if it appeared within settle + overlap,
//     and no window that was searched once more lacks any. A record's age is told by the latest time that a cycle may have
//     gone by until it appeared: the earlier of the two clocks, as they had told it;
//   - no cycle ends well that is behind its position, or whose journal or newest record is gone, and none of the two latter
//     delivers anything before a person has said how to go on. A cycle that is behind has searched all that is remembered,
//     and the first one that ends well after it, after an adoption or after a reset, has searched all that was then;
//   - the archive holds each record once, in its own day's partition, as the log has it, and no object of a window that
//     was committed without it;
//   - serials are dense, entries are chained by hash, windows follow one another, and objects are what entries say;
//   - an entry knows every record that was delivered since the time from which on it says so, by itself or with the entries
//     and the object that it builds on, which was there before it. No note names an entry that is not there;
//   - a cycle that goes well and commits nothing has written nothing, unless it took the lease over
//     from a dead one;
//   - no other entry has the time of a backfill's window, and that lacks no record that was visible when the backfill began;
//   - an event comes to the receiver with the same bytes each time, and never again once it was committed before the
//     sender's cycle began, but for a reset in between: a receiver cannot be asked what it has;
//   - a lease is not taken from a process that has renewed it within its time.
//
// When the storm is over, the cycles have to go well and leave nothing behind: no record that was promised to the overlap or
// to the rescan, and none that came to light.
//
//	go test ./exporter/simulation -sim.seeds=10000                        more worlds
//	go test ./exporter/simulation -run Simulation -sim.seed=42 -v         one world, and everything that happens in it
//
// What becomes of a call is decided by a hash of the seed, the process, the call and its moment, so that the scheduler has
// next to no say in it; TestReplay holds that.
//
// # Mutations
//
// Each of these was made in the code, and caught in the world of this seed, the first of 500:
//
//	mutation                                                     seed  caught as
//	objects are named after the end of their window                 0  an object that is not its entry's
//	no overlap                                                      0  a late record lost
//	an overlap one second short                                     1  a late record lost
//	ids are kept for RESCAN although OVERLAP is longer              4  a late record lost
//	delivered ids are not kept                                      0  a record in two objects
//	a commit after a write that failed                              0  counts without deliveries
//	a commit before the write                                       0  counts without deliveries
//	a receipt although the second batch was not acknowledged        9  counts without deliveries
//	the lease of another runner is taken                            3  a lease renewed a moment ago
//	the next page leaves out the oldest instant of the one before   0  a record lost
//	a window leaves out its last microsecond                        0  a record lost
//	a page that fails is the last one                              52  a commit without the newest record
//	a retry picks a shorter window                                  0  an archive that refuses its own retry
//	an attempt that was not committed is not made again             4  a record in two objects
//	a new stream ignores the intent of a crashed first attempt     89  a record in two objects
//	every late record is a duplicate                                0  a late record lost
//	what is read before the overlap is delivered                    2  a record from before the overlap
//	no wait for records to settle                                    0  a record lost
//	the later of the two clocks instead of the earlier              0  a cycle that ends well behind its position
//	no search while behind                                          8  a cycle that ends well behind its position
//	a cycle that is behind says so, and does not search             8  a record lost
//	no search is owed once the clocks have caught up                8  a cycle that ends well and owes one
//	rescans remember no longer than the overlap                     1  a straggler lost
//	what was before a standstill is forgotten                       2  a straggler lost
//	a rescan's objects are named like the previous ones              1  a window that was committed without it
//	the oldest record is not looked for again                       7  a record lost that came to light
//	a first answer that is empty nails the start to now            12  a record lost
//	an adoption forgets the ids                                    12  a record in two objects
//	an accepted reset does not take the ids along                   9  a record in two objects
//	the last window of a backfill is taken again                    1  a window that was taken already
//	a backfill takes the stream's first hour as well                1  a backfill that never goes well
//	what is older than a history under way waits for a day        192  a record lost that came to light
//	an entry that is copied repeats the change of the previous     42  an entry that does not know a record
//	a set is written after the entry that names it                  1  an entry that names no set
//	a set that is written anew lacks the last change                0  an entry that does not know a record
//	the note is taken for the newest entry                          0  a cycle that never goes well
//	windows are committed in the order in which they are written    0  windows that do not follow one another
//	the window that is declared is not the one that is written      0  an object of no declared window
//	only the first of the declared windows is taken again           6  a record in two objects
//	what was read ahead is kept although the window before was cut  1  a record lost
//	what an attempt has left of a window in parts comes again       2  a record in two objects
//
// Not caught: a cycle that goes on although its lease is lost, and an object that is replaced without a look at what is in
// it; conditional writes and the journal hold without either. A late commit that nothing keeps out needs more seeds (about
// one world in 300), and a
// barrier that is committed before the lease tells which windows are open needs two deaths within a few calls of each other:
// package exporter has a process die at every call, and the next one too. A count that is not compared needs a server that leaves out
// rows: package exporter tests that.
//
// # What it found
//
// Among others: two writes of a lease with the same bytes, after which another runner took the lease just renewed; a
// commit that arrived after its window's objects had been replaced; a page that could not be told from the one before,
// because rows had come in ahead of it; an adopted stream that did not look before the first record of its archive; an object
// of a whole window that arrived after that had been written in parts, under other names.
//
// # What it does not cover
//
// A server that answers oldest first and changes its order between two pages of one window: a page that is asked for by skip is
// then never the replica's, since one with fewer rows would shift all others, and leave rows out. Clocks that are both ahead
// and are then set back by more than the ids reach, which is by an hour at least: no promise covers what is stamped meanwhile. A
// clock of the server's that is set while a replica lags or a database is restored, rows that come to light one by one while
// a cycle walks over their time, ids that are handed out twice within a minute, and a server that audits its own requests and
// whose clock is set. A webhook's journal that is lost: what to do then is for its receiver to say. A journal that is lost or
// put back while a process is writing, an adoption beside a backfill, and a move to another identity, of which packages
// exporter and cmd have tests.
package simulation
