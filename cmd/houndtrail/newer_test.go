package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// newer changes the newest entry of a journal, and its note, as if a newer version had written them:
//
//	newer field positions/archive      with a field that this version does not know
//	newer critical positions/archive   with one that a reader has to know
func newer(ts *testscript.TestScript, neg bool, args []string) {
	field, known := map[string]string{
		"field": `"colour":"blue",`, "critical": `"critical":["colour"],"colour":"blue",`,
	}[firstOf(args)]
	if neg || len(args) != 2 || !known {
		ts.Fatalf("usage: newer field|critical DIR")
	}
	dir := ts.MkAbs(args[1])
	entries := entriesIn(ts, dir)
	path := entries[len(entries)-1]
	body, err := os.ReadFile(path)
	ts.Check(err)
	body = bytes.Replace(body, []byte(`{"format":`), []byte(`{`+field+`"format":`), 1)
	ts.Check(os.WriteFile(path, body, 0o600))
	sum := sha256.Sum256(body)
	note, err := json.Marshal(map[string]any{"serial": len(entries), "sha256": hex.EncodeToString(sum[:])})
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(dir, "state", "latest"), note, 0o600))
}

func firstOf(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
