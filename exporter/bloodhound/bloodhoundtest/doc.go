// Package bloodhoundtest is a double of BloodHound's audit log API. Package history has believable rows for it.
//
// The double behaves as the servers do, with their traps, so that tests of a client meet these. Ties come in random order, rows
// turn up late, the server drops filters without a word, and answers are cut short. Each difference between generations of
// servers is one entry in the table of profiles. Each fault on the way is a [Fault] of package faults. The demo uses the same
// double in place of a tenant.
//
// testdata/conformance.txt has the answers of two real servers to 221 requests, and a test holds the profiles of these servers
// to them. Other facts about the API come from the public BloodHound source and its OpenAPI description, in our own words. The
// main files are: cmd/api/src/api/v2/audit.go and model/audit.go for the endpoint, model/filter.go for the filters,
// api/signature.go and api/middleware for everything around it.
//
// The package does not import the client: both are written from the same contract, not from each other.
package bloodhoundtest
