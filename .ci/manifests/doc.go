// Package manifests checks the policies in deploy/aws against the rules that a schema cannot express. Its folder chart has the tests of
// the Helm chart.
//
// It is a module of its own, so that Kubernetes' libraries stay out of the exporter's go.mod.
package manifests
