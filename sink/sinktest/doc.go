// Package sinktest holds what the tests of the sinks share: records, and the suite that every archive must pass,
// whatever its format and whatever its bucket.
package sinktest
