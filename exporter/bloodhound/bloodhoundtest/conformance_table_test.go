package bloodhoundtest_test

import (
	"sync"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// measuredAt is the time of the measurement.
var measuredAt = time.Date(2026, 11, 26, 1, 27, 42, 0, time.UTC)

// measured is a table with the same kinds of rows as the tables of the servers: texts of every kind for which the requests ask,
// NULL and empty texts, and rows out of order. Other rows are of one instant, older than a year, of the future, or without a
// time.
var measured = sync.OnceValue(func() []bt.Row {
	const rows, instant = 1300, 6 * time.Hour
	newest := time.Date(2026, 11, 26, 1, 26, 11, 706968000, time.UTC)
	pick := func(i int, texts ...string) string { return texts[i%len(texts)] }
	all := make([]bt.Row, rows)
	for i := range all {
		r := &all[i]
		r.ID = int64(i + 1)
		r.CreatedAt = newest.Add(-instant * time.Duration((rows-1-i)/3*3)) // three of an instant
		r.ActorID = pick(i, "8120ad72-1a66-4f8b-b13d-4d5d6d7f4e7c", "9f7cf9d1-f44b-4f0c-8a4c-6e0f6c5b7d6e", "")
		r.ActorName = pick(i, "admin", "müller", "O'Brien", "a b", "123", "true", "user+tag", `x\y`, "user", "")
		r.ActorEmail = pick(i, "admin@example.com", "", "müller@example.com")
		r.Action = pick(i, "LoginAttempt", "CreateUser", "DeleteUser", "GET/api/v2/audit", "POST /api/v2/x/{id}", "Neue Aktion ü", "")
		r.RequestID = pick(i, "6047d520-b36b-49e1-a45d-4f4d96b75526", "ERROR", "9a8f1a52-3c30-4d76-8a5e-9d2b6f1c7e11")
		r.SourceIP = pick(i, "127.0.0.1", "2001:db8::1", "203.0.113.5, 10.0.0.5,10.0.0.7", "203.0.113.5")
		r.Status = pick(i, "intent", "success", "intent", "failure", "")
		switch {
		case i%11 == 10:
			r.Null = []string{"actor_id", "actor_name", "actor_email"}
		case i%53 == 52:
			r.Null = []string{"status", "source_ip_address"}
		case i == 700:
			r.Null = []string{"action"}
		}
		for _, column := range r.Null {
			*map[string]*string{
				"actor_id": &r.ActorID, "actor_name": &r.ActorName, "actor_email": &r.ActorEmail, "action": &r.Action,
				"status": &r.Status, "source_ip_address": &r.SourceIP,
			}[column] = ""
		}
	}
	for i := 100; i < 200; i += 7 { // ids that are out of the order of time
		all[i].CreatedAt, all[i+40].CreatedAt = all[i+40].CreatedAt, all[i].CreatedAt
	}
	for i := range 5 {
		all[i*9].CreatedAt = time.Date(2019, 5, 1+i, 0, 0, 0, 0, time.UTC)
	}
	all[117].CreatedAt = time.Time{}
	all[400].CreatedAt, all[400].VisibleAt = measuredAt.AddDate(0, 2, 0), newest
	return all
})
