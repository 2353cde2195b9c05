package table

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// The values in the files of the questions. Houndtrail replaces them by the user's values. Without that, the files still run as
// they are.
const (
	sampleTenants = "tenant IN ('acme')"
	sampleDays    = "dt BETWEEN '2026-01-01' AND '2026-01-31'"
	sampleRequest = "'00000000-0000-4000-8000-000000000000'"
	sampleZone    = "'Europe/Berlin'"
	samplePlace   = "'s3://bucket/iceberg/bloodhound_audit/'"
	sampleTable   = "bloodhound_audit"
)

// A Question is a question about the archive.
type Question struct {
	Name  string
	Title string // a sentence

	sql string
}

// Answer has the values for a question.
type Answer struct {
	Table        string // table or database.table: the views are in the same database
	Tenants      []string
	Since, Until time.Time // the first and the last day
	Request      string    // the request id of a question about one request
	Zone         string    // the time zone of the hours, for a question about hours
	Place        string    // s3://bucket/prefix/ of an Iceberg table
}

// ErrRequest says that a question needs a request id.
var ErrRequest = errors.New("it is about one request: name the request id")

// Questions are the questions in the files, by name.
func Questions(files fs.FS) ([]Question, error) {
	paths, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	var all []Question
	for _, path := range paths {
		sql, err := fs.ReadFile(files, path)
		if err != nil {
			return nil, err
		}
		title, _, _ := strings.Cut(strings.TrimPrefix(string(sql), "-- "), "\n")
		all = append(all, Question{strings.TrimSuffix(path, ".sql"), title, string(sql)})
	}
	return all, nil
}

// SQL is the question in a dialect, ready to run. Only Athena, Trino and DuckDB have questions.
func (q Question) SQL(d Dialect, a Answer) (string, error) {
	if err := q.check(d, a); err != nil {
		return "", err
	}
	tenants := "tenant IN (" + literals(a.Tenants) + ")"
	replace := []string{
		sampleDays, "dt BETWEEN " + literal(a.Since.Format(time.DateOnly)) + " AND " + literal(a.Until.Format(time.DateOnly)),
		sampleTenants, tenants, sampleRequest, literal(a.Request), sampleZone, literal(a.Zone),
	}
	if len(a.Tenants) == 0 {
		replace = append([]string{sampleTenants + " AND ", ""}, replace...)
	}
	if a.Place != "" {
		replace = append(replace, samplePlace, literal(a.Place))
	}
	sql := relations.ReplaceAllStringFunc(q.sql, func(found string) string {
		name := found[strings.LastIndex(found, " ")+1:]
		beside := Table{Name: a.Table}.beside(name)
		if name == sampleTable {
			beside = a.Table
		}
		return strings.TrimSuffix(found, name) + identifiers(beside, `"`)
	})
	return translate(d, strings.NewReplacer(replace...).Replace(sql)), nil
}

// relations are the tables and the views that a question names.
var relations = regexp.MustCompile(`\b(FROM|JOIN|INTO|CREATE TABLE) (audit_\w+|` + sampleTable + `)\b`)

func (q Question) check(d Dialect, a Answer) error {
	iceberg := strings.Contains(q.sql, samplePlace)
	switch {
	case d != Athena && d != Trino && d != DuckDB:
		return fmt.Errorf("no questions for %s: only for %s, %s and %s", d, Athena, Trino, DuckDB)
	case iceberg && d == DuckDB:
		return errors.New("no Iceberg table by DuckDB: use athena or trino")
	case a.Until.Before(a.Since):
		return fmt.Errorf("no day from %s until %s", a.Since.Format(time.DateOnly), a.Until.Format(time.DateOnly))
	case a.Request == "" && strings.Contains(q.sql, sampleRequest):
		return fmt.Errorf("question %s: %w", q.Name, ErrRequest)
	}
	for _, tenant := range a.Tenants {
		if err := read.CheckTenant(tenant); err != nil {
			return err
		}
	}
	return nil
}

// translate turns Athena's SQL, which is the same as Trino's, into the dialect. The questions use few functions that differ
// between the two.
func translate(d Dialect, sql string) string {
	var changes [][2]string
	switch d {
	case Trino:
		changes = [][2]string{{`table_type = 'ICEBERG', is_external = false,\n  `, ""}}
	case DuckDB:
		changes = [][2]string{
			{`json_format\((json_extract\([^()]*\))\)`, "CAST($1 AS VARCHAR)"},
			{`json_extract_scalar\(`, "json_extract_string("},
			{`with_timezone\((\w+), 'UTC'\)`, "$1"}, // it has a zone there
			{`day_of_week\(`, "isodow("},
		}
	default:
	}
	for _, c := range changes {
		sql = regexp.MustCompile(c[0]).ReplaceAllString(sql, c[1])
	}
	return sql
}
