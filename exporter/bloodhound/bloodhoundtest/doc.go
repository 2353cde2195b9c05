// Package bloodhoundtest is a double of BloodHound's audit log API. Package history has believable rows for it.
//
// The double behaves as the servers do, traps included, so that a client tested against it is tested against what
// it will meet: ties in random order, rows that turn up late, filters that are dropped without a word, answers cut
// short. What one generation of servers does and another does not is one entry in the table of profiles; what goes
// wrong on the way is a [Fault] of package faults. The same double stands in for a tenant if a reader only wants to look.
//
// What two real servers answered to 221 requests is kept in testdata/conformance.txt, and the profiles that stand for
// them are held to it. Other facts about the API come from the public BloodHound source and its OpenAPI description,
// in our own words. The files read most often: cmd/api/src/api/v2/audit.go and model/audit.go for the endpoint,
// model/filter.go for the filters, api/signature.go and api/middleware for everything around it.
//
// Nothing here imports the client: the two are written from the same contract, not from each other.
package bloodhoundtest
