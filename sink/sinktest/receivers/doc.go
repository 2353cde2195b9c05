// Package receivers has doubles of two receivers that one cannot install. [HEC] is the double of Splunk's HTTP Event Collector.
// [Sentinel] is the double of Azure Monitor's Logs Ingestion API. [Tokens] is the double of the token endpoint of Microsoft Entra
// ID, which that API needs.
//
// We have not compared these rules with a real receiver. So a test against a double shows only what Houndtrail does if the
// documentation is right. Each rule names its source:
//
//   - documented: the receiver's published documentation says so.
//   - measured: others measured it on a real Splunk (Enterprise 10.4, Cloud 10.5) and published it.
//   - read: it is in the source of a client, or in a package.
//   - reported: users of other clients report it.
//   - inferred: it follows from the others.
//
// A double is an [http.Handler]. Serve it with httptest, or without a network by [Direct]. It uses the clock of the process, so a
// test under a fake clock moves it. Clients of other vendors check the doubles: see clients_test.go.
package receivers
