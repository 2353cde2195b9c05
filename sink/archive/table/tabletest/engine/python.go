package engine

import (
	"bufio"
	_ "embed" // for the program that runs the engines of Python
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

//go:embed engine.py
var program string

// A Python is an engine that a Python program runs.
type Python struct {
	in  io.Writer
	out *bufio.Reader
}

type pythonAnswer struct {
	Rows  [][]any `json:"rows"`
	Error string  `json:"error"`
}

// StartPython starts an engine: spark, clickhouse, duckdb or pyarrow. The engine ends with the test. If the flag is missing, the
// test is skipped.
func StartPython(t *testing.T, name string) *Python {
	t.Helper()
	needs(t, *python)
	folder := t.TempDir()
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), *python, "-c", program, name, folder)
	cmd.Dir, cmd.Stderr, cmd.SysProcAttr = folder, log, servers.DieWithTest() // Derby writes its log into the folder
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		_ = in.Close() // the program ends then
		_ = cmd.Wait()
		if body, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("log of %s:\n%.5000s", name, body)
		}
		_ = log.Close()
	})
	e := &Python{in: in, out: bufio.NewReaderSize(out, 1<<20)}
	first, err := e.read()
	if err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Log(first[0][0])
	return e
}

func (e *Python) read() ([][]any, error) {
	line, err := e.out.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	var answer pythonAnswer
	if err := json.Unmarshal(line, &answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, errors.New(answer.Error)
	}
	for _, row := range answer.Rows {
		for i, value := range row {
			if number, ok := value.(float64); ok && number == float64(int64(number)) {
				row[i] = int64(number)
			}
		}
	}
	return answer.Rows, nil
}

// Run lets the program do one task of a kind: "exec", "query" or, in Spark, "parse".
func (e *Python) Run(tb testing.TB, kind, sql string) [][]any {
	tb.Helper()
	if err := json.NewEncoder(e.in).Encode(map[string]string{kind: sql}); err != nil {
		tb.Fatal(err)
	}
	rows, err := e.read()
	if err != nil {
		tb.Fatalf("%s\n%v", sql, err)
	}
	return rows
}

// Exec runs one statement.
func (e *Python) Exec(tb testing.TB, sql string) { tb.Helper(); e.Run(tb, "exec", sql) }

// Query returns the rows.
func (e *Python) Query(tb testing.TB, sql string) [][]any {
	tb.Helper()
	return e.Run(tb, "query", sql)
}
