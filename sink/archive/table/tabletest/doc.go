// Package tabletest tests the SQL of package table with real engines. The test of each engine makes the tables, runs every view and
// every question, and compares the results.
//
// All engines read one archive, which the project's own writer makes. Package tabletest computes the rows of the views from the
// records. The rows of the questions are in testdata: a person has checked them, and all engines must agree on them.
package tabletest
