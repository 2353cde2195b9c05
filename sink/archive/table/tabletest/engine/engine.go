// Package engine starts real engines that read the archive with SQL: a Trino server, which is the engine of Athena, and the engines
// in Python packages.
//
// Flags of the test binary name the engines, and bash .ci/engines sets them. If the flag of an engine is missing, its test is
// skipped.
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

// NeedTrino skips the test if no flag names a Trino.
func NeedTrino(t *testing.T) {
	t.Helper()
	needs(t, *trinoDir)
}

// needs skips the test if no flag names its engine.
func needs(t *testing.T, engine string) {
	t.Helper()
	if engine == "" {
		t.Skip("the engine is not named: bash .ci/engines runs this")
	}
}
