// Package bloodhound is the client of the audit log API, GET /api/v2/audit.
//
// [Client.Fetch] reads one span of time completely or fails: an empty reply, a cut body, HTML from a proxy or a page that
// is not newest first is an error and never the end of the data. It works in two stages, fetching and scanning, so that
// the next page is under way while one is checked. A row that the server cannot print makes every page with it a 500: it
// is searched for and named, and so is a record that is none; [Options.Quarantine] goes on without such rows. [Client.Logs]
// reads one page as asked, with every documented parameter.
//
// What is said here about the API comes from the public BloodHound server source and its published documentation;
// where the two disagree, the client works with either. The traps that shape it: answers always come newest first;
// before and after are both inclusive; count ignores them; rows become visible after newer ones; old builds ignore skip
// without a word; timed-out requests can answer 200 with an empty body.
package bloodhound
