package table

import (
	"fmt"
	"strings"
)

// functions are the expressions that differ between the dialects.
type functions struct {
	quote    string                            // of identifiers
	text     func(document, key string) string // the text of a key of a JSON object; NULL if it has none
	document func(document, key string) string // the JSON of a key of a JSON object; NULL if it has none
	shift    func(day, sign string) string     // the day after (+) or before (-)
	item     func(list string, n int) string   // an element of a list with commas, from 1, or from the end, -1
	part     func(text string, n int) string   // an element of a text with slashes, from 1
	bare     func(address string) string       // without the port that old servers keep
	instant  func(us string) string            // the timestamp of an instant in microseconds, rounded down
}

// Old servers write host:port. An IPv6 address without brackets has no port.
const withPort = `'^([0-9.]+):[0-9]+$'`

func functionsOf(d Dialect) functions {
	switch d {
	case DuckDB:
		return duckdbFunctions()
	case Spark:
		f := trinoFunctions()
		f.quote = "`"
		f.text = func(document, key string) string { return fmt.Sprintf("get_json_object(%s, '$.%s')", document, key) }
		f.shift = func(day, sign string) string {
			return fmt.Sprintf("CAST(date_add(CAST(%s AS DATE), %s1) AS STRING)", day, sign)
		}
		return f
	case ClickHouse:
		return clickhouseFunctions()
	default:
		return trinoFunctions()
	}
}

// trinoFunctions are Athena's too: its engine is Trino.
func trinoFunctions() functions {
	return functions{
		quote: `"`,
		text: func(document, key string) string {
			return fmt.Sprintf("json_extract_scalar(%s, '$.%s')", document, key)
		},
		document: func(document, key string) string {
			return fmt.Sprintf("NULLIF(json_format(json_extract(%s, '$.%s')), 'null')", document, key)
		},
		shift: func(day, sign string) string {
			return fmt.Sprintf("CAST(date(%s) %s INTERVAL '1' DAY AS varchar)", day, sign)
		},
		item: func(list string, n int) string { return fmt.Sprintf("trim(element_at(split(%s, ','), %d))", list, n) },
		part: func(text string, n int) string { return fmt.Sprintf("split_part(%s, '/', %d)", text, n) },
		bare: func(address string) string { return "regexp_replace(" + address + ", " + withPort + ", '$1')" },
		instant: func(us string) string {
			return fmt.Sprintf("CAST(from_unixtime((%[1]s - mod(mod(%[1]s, 1000) + 1000, 1000)) / 1000 / 1e3) AT TIME ZONE 'UTC' "+
				"AS timestamp(3))", us)
		},
	}
}

func duckdbFunctions() functions {
	return functions{
		quote: `"`,
		// DuckDB fails the whole query if one text is no JSON.
		text: func(document, key string) string {
			return fmt.Sprintf("CASE WHEN json_valid(%[1]s) THEN json_extract_string(%[1]s, '$.%[2]s') END", document, key)
		},
		document: func(document, key string) string {
			return fmt.Sprintf("NULLIF(CAST(json_extract(%s, '$.%s') AS VARCHAR), 'null')", document, key)
		},
		shift: func(day, sign string) string { return fmt.Sprintf("CAST(%s %s INTERVAL 1 DAY AS DATE)", day, sign) },
		item:  func(list string, n int) string { return fmt.Sprintf("trim(split_part(%s, ',', %d))", list, n) },
		part:  func(text string, n int) string { return fmt.Sprintf("split_part(%s, '/', %d)", text, n) },
		bare:  func(address string) string { return "regexp_replace(" + address + ", " + withPort + `, '\1')` },
		instant: func(us string) string {
			return fmt.Sprintf("make_timestamptz(%[1]s - ((%[1]s %% 1000) + 1000) %% 1000)", us)
		},
	}
}

func clickhouseFunctions() functions {
	f := trinoFunctions() // document, part and instant are for lines, of which ClickHouse has no table
	f.quote = "`"
	f.text = func(document, key string) string {
		return fmt.Sprintf("NULLIF(JSONExtractString(ifNull(%s, ''), '%s'), '')", document, key)
	}
	f.shift = func(day, sign string) string { return fmt.Sprintf("toString(toDate(%s) %s 1)", day, sign) }
	f.item = func(list string, n int) string {
		return fmt.Sprintf("if(%[1]s IS NOT NULL, trimBoth(splitByChar(',', ifNull(%[1]s, ''))[%[2]d]), NULL)", list, n)
	}
	f.bare = func(address string) string { return "replaceRegexpOne(" + address + ", " + withPort + `, '\\1')` }
	return f
}

// who is the actor: the user or, for a login, the name that the caller typed.
func who(f functions, alias string) string {
	known := func(expression string) string { return "NULLIF(" + expression + ", '')" }
	return "COALESCE(" + strings.Join([]string{
		known(alias + "actor_name"), known(f.text(alias+"fields", "username")),
		known(alias + "actor_email"), known(alias + "actor_id"),
	}, ", ") + ")"
}
