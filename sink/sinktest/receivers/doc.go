// Package receivers has doubles of two receivers that cannot be installed. [HEC] stands for Splunk's HTTP Event Collector.
// [Sentinel] stands for the Logs Ingestion API of Azure Monitor, with the token endpoint of Microsoft Entra ID in front of it.
//
// No real receiver stands behind these rules, so a test against them shows what Houndtrail does if the documentation is right.
// Each rule names its source:
//
//   - documented: the receiver's published documentation says so.
//   - measured: others measured it on a real Splunk (Enterprise 10.4, Cloud 10.5) and published it.
//   - read: it stands in the source of a client, or in a package.
//   - reported: users of other clients report it.
//   - inferred: it follows from the others.
//
// A double is an [http.Handler]. Serve it with httptest, or without a network by [Direct]. Its clock is the process's, so a test
// under a fake clock moves it. Clients that are not ours check the doubles: see clients_test.go.
package receivers
