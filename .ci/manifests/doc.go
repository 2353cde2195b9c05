// Package manifests checks the files under deploy against the rules that a schema cannot express: Kubernetes' own Pod Security
// check of the pods, and the program's needs of its surroundings.
//
// It is a module of its own, so that Kubernetes' libraries stay out of the exporter's go.mod.
package manifests
