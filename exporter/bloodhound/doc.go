// Package bloodhound is the client of the audit log API, GET /api/v2/audit: it decides what to ask, and in which order. It asks
// through package rest, which is the connection. Package page makes records of the bytes that come back.
//
// [Client.Fetch] and [Client.FetchParts] read one span of time completely, or fail. An empty reply, a cut body or HTML from a
// proxy is an error. It is never the end of the data. If a server does not answer newest first, they read the span by skip. If
// a later page is the first to show this, that is an error. They work in two stages, fetching and scanning, so that the next
// page is under way while the client checks one. [Client.Logs] reads one page as the caller asks, with every documented
// parameter.
//
// If the server cannot print a row, it answers 500 to every page with that row. The client searches for the row and names it.
// If an element of a page is no record, the client names that too. With [Options.Quarantine] it goes on without such rows. If
// such rows stand at the ends of the log, the client still finds these ends.
//
// A breakdown may also be an outage. To tell the two apart, the client sends a second request from the third breakdown on: the
// same query for a time without rows. If that request fails too, the server is down, and the client goes on as the retry policy
// says.
//
// The statements here about the API were measured on servers of 2024 and 2025, or come from the public BloodHound server source
// and its published documentation. When these disagree, the client works with each of them. These traps shape the client.
// sort_by replaces the order on today's builds, and only breaks ties on builds before March 2024. before and after are both
// inclusive. count ignores them. A row may become visible after newer rows. Old builds ignore skip without a word. A request
// that timed out may get a 200 with an empty body.
//
// # The index behind each request
//
// For each request of the audit log, the server runs two statements. The statement for the rows obeys after, before and the
// filter. The count(*) obeys only the filter. Its table has an index on created_at and the primary key on id. A request sorts
// by created_at first, so the server reads the rows from that index in their order. The request skips no row. (If it sorted by
// -id over a narrow window, PostgreSQL would read the whole primary key to find the rows.) One filter on created_at limits the
// count by the same index. A second filter would be a 500 on builds before 2025.
//
//	request                 order            filter             rows                        count(*)
//	Fetch, each page        -created_at,-id  gte: span's start  created_at, back from       created_at, from the
//	                                                            before to after             filter's instant on
//	Fetch with count, page  -created_at,-id  gte: the instant   the same                    the same
//	Span, each page         -created_at,-id  gte: its start     the same                    the same
//	Count                   -created_at,-id  gte: from          created_at, no row          created_at, from there on
//	Extent, the oldest      created_at,id    none               created_at, one row         all rows: it is wanted
//	First, the oldest       created_at,id    gte: from          created_at, one row         created_at, from there on
//	both, is one before it  -created_at,-id  gte: from, or      created_at, no row          created_at, from there on,
//	                                         lte: to                                        or up to there
//	both, the search        -created_at,-id  the same           created_at, one row         the same
//	beside a breakdown      its own          its own            created_at, no row          its own
//	search for a bad row    its own          its own, or gte:   created_at, back from       created_at, from there on
//	                                         its start          its end to its start
//	Newest, the last day    -created_at,-id  gte: a day ago     created_at, one row         created_at, from there on
//	Newest, on a quiet one  -created_at,-id  none               created_at, one row         all rows
//	Newest, a bad row       -created_at,-id  gte: its start     created_at, one row         created_at, from there on
//	Own: GET /api/v2/self   -                -                  users, by primary key       -
//	Clock: GET /health      -                -                  no statement                -
//
// The client uses skip in two cases only: inside one instant that fills a page, and on a server that does not answer newest
// first. Each skipped row costs the server some 6 µs.
package bloodhound
