// Package sinktest has what the tests of the sinks share: records, and the suite that every archive must pass, in every format
// and with every bucket.
package sinktest
