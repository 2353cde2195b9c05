// Package manifests holds the files under deploy to the rules that a schema cannot express: what Kubernetes' own Pod
// Security check says of the pods, and what the program needs of its surroundings.
//
// It is a module of its own, so that Kubernetes' libraries stay out of the exporter's.
package manifests
