// Package sinktest has the parts that the tests of the sinks share: records, and the suite that every archive must pass, in every
// format and with every bucket.
package sinktest
