package bloodhoundtest

import (
	"encoding/base64"
	"testing"
	"time"
)

// No protected endpoint of the double takes a body, so the vector with one is checked here.
func TestSignatureOfABody(t *testing.T) {
	date := time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)
	sum := sign("dGVzdC1rZXk=", "POST", "/api/v2/clear-database", date, []byte(`{"deleteCollectedGraphData":true}`))
	if got, want := base64.StdEncoding.EncodeToString(sum), "zwN0gx+z6eCnI28E4TlMcWiCUKckt+EFCmSJbSP0d44="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestJournalIsBounded(t *testing.T) {
	var j journal
	for n := range journalLength + 1 {
		j.add(Request{Status: n})
	}
	if n := len(j.requests); n != journalLength/2+1 || j.requests[n-1].Status != journalLength {
		t.Errorf("%d requests kept", n)
	}
}
