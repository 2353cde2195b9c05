package tabletest_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The flags name the engines. Without its flag, an engine's test is skipped: bash .ci/engines gives all flags.
var (
	trinoDir = flag.String("trino", "", "folder of a Trino server")
	java     = flag.String("trino.java", "java", "Java for Trino")
	python   = flag.String("python", "", "Python with pyspark and chdb")
)

// needs skips the test unless its engine was named.
func needs(t *testing.T, engine string) {
	t.Helper()
	if engine == "" {
		t.Skip("the engine is not named: bash .ci/engines runs this")
	}
}

// A pythonEngine is an engine that engine.py runs.
type pythonEngine struct {
	in   io.Writer
	out  *bufio.Reader
	name string
}

type pythonAnswer struct {
	Rows  [][]any `json:"rows"`
	Error string  `json:"error"`
}

func startPython(t *testing.T, name string) *pythonEngine {
	t.Helper()
	folder := t.TempDir()
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("engine.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), *python, script, name, folder)
	cmd.Dir, cmd.Stderr = folder, log // Derby writes its log into the folder
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
		_ = in.Close() // then it ends
		_ = cmd.Wait()
		if body, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("log of %s:\n%.5000s", name, body)
		}
		_ = log.Close()
	})
	e := &pythonEngine{in: in, out: bufio.NewReaderSize(out, 1<<20)}
	first, err := e.read()
	if err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	e.name, _ = first[0][0].(string)
	t.Log(e.name)
	return e
}

func (e *pythonEngine) read() ([][]any, error) {
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

func (e *pythonEngine) run(tb testing.TB, kind, sql string) [][]any {
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

func (e *pythonEngine) Exec(tb testing.TB, sql string) { tb.Helper(); e.run(tb, "exec", sql) }

func (e *pythonEngine) Query(tb testing.TB, sql string) [][]any {
	tb.Helper()
	return e.run(tb, "query", sql)
}
