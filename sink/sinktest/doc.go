// Package sinktest has the parts that tests of the sinks share: records, and the suite that every archive must pass,
// whatever its format and its bucket.
package sinktest
