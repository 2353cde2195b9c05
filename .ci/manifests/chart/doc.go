// Package chart tests the Helm chart in deploy/helm/houndtrail.
//
// Its golden files are what the chart renders for some sets of values. Tests check every pod in them, and run the pods' commands as
// processes, against BloodHound's double and a real S3 server. The manifests in deploy/kubernetes are what the chart renders, too.
//
// The tests that render need Helm:
//
//	go test ./chart -helm PATH            # .ci/kubernetes does so
//	go test ./chart -helm PATH -update    # writes the golden files, the manifests and the chart's copies anew
package chart
