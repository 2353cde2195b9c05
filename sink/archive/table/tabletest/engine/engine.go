// Package engine starts real engines that read the archive by SQL: a Trino server, which is the engine inside Athena, and those that
// Python's packages bring.
//
// Flags of the test binary name the engines, as bash .ci/engines gives them. Without its flag, the test of an engine is skipped.
package engine

import (
	"flag"
	"testing"
)

var (
	trinoDir = flag.String("trino", "", "folder of a Trino server")
	java     = flag.String("trino.java", "java", "Java for Trino")
	python   = flag.String("python", "", "Python with pyspark, chdb, pyarrow and duckdb")
)

// NeedTrino skips the test unless a Trino was named.
func NeedTrino(t *testing.T) {
	t.Helper()
	needs(t, *trinoDir)
}

// needs skips the test unless its engine was named.
func needs(t *testing.T, engine string) {
	t.Helper()
	if engine == "" {
		t.Skip("the engine is not named: bash .ci/engines runs this")
	}
}
