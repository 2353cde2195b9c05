package bloodhoundtest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
)

func TestFilters(t *testing.T) {
	row := func(id int64, change func(*bt.Row)) bt.Row {
		r := bt.Row{
			ID: id, CreatedAt: noon.Add(-time.Duration(id) * time.Hour), ActorID: "u", ActorName: "user",
			ActorEmail: "user@example.com", Action: "LoginAttempt", RequestID: "r", SourceIP: "10.0.0.1", Status: "success",
		}
		change(&r)
		return r
	}
	rows := []bt.Row{
		row(1, func(r *bt.Row) { r.Status, r.Null = "intent", []string{"source_ip_address"} }),
		row(2, func(r *bt.Row) { r.Null = []string{"actor_name"} }),
		row(3, func(r *bt.Row) { r.Action = "POST" }),
		row(4, func(r *bt.Row) { r.Action = "POST /api/v2/x/" }),
		row(5, func(r *bt.Row) { r.SourceIP = "192.168.7.7" }),
		row(6, func(r *bt.Row) { r.ActorName, r.CreatedAt = "José", time.Time{} }),
	}
	const (
		d  = bt.Documented
		l  = bt.Legacy2024
		v7 = bt.V7
		v8 = bt.V84
	)
	type profiles = []bt.Profile
	for _, tt := range []struct {
		profiles profiles
		query    string
		want     []int64
		count    int
	}{
		{profiles{l, v7, v8}, "id=eq:3", []int64{3}, 1},
		{profiles{l, v7, v8}, "id=neq:3", []int64{1, 2, 4, 5}, 5},
		{profiles{l, v7, v8}, "id=gt:3", []int64{4, 5}, 3},
		{profiles{l, v7, v8}, "id=gte:3", []int64{3, 4, 5}, 4},
		{profiles{l, v7, v8}, "id=lt:3", []int64{1, 2}, 2},
		{profiles{l, v7, v8}, "id=lte:3", []int64{1, 2, 3}, 3},
		{profiles{v7, v8}, "id=gt:1&id=lt:4", []int64{2, 3}, 2},
		{profiles{v7, v8}, "id=gt:2&status=eq:success", []int64{3, 4, 5}, 4},
		{profiles{d, l, v7, v8}, "status=eq:intent", []int64{1}, 1},
		{profiles{d, l, v7, v8}, "status=neq:intent", []int64{2, 3, 4, 5}, 5},
		{profiles{d, l, v7, v8}, "created_at=gte:2026-01-15T09:34:56Z", []int64{1, 2, 3}, 3},
		{profiles{l, v7, v8}, "created_at=lt:2026-01-15T10:34:56Z", []int64{3, 4, 5}, 3}, // NULL is before nothing
		{profiles{l, v7, v8}, "created_at=neq:2026-01-15T10:34:56Z", []int64{1, 3, 4, 5}, 4},
		{profiles{d, l, v7, v8}, "created_at=eq:2026-01-15T09:34:56.000000Z", []int64{3}, 1},
		// An offset with a plus is cut off and read as UTC; one with a minus survives.
		{profiles{l, v7, v8}, "created_at=gte:2026-01-15T09:34:56%2B02:00", []int64{1, 2, 3}, 3},
		{profiles{d}, "created_at=gte:2026-01-15T11:34:56%2B02:00", []int64{1, 2, 3}, 3},
		{profiles{d, l, v7, v8}, "created_at=gte:2026-01-15T07:34:56-02:00", []int64{1, 2, 3}, 3},
		{profiles{l, v7, v8}, "actor_email=eq:user%2Btag@example.com", []int64{}, 0}, // read as "user"
		{profiles{l, v7, v8}, "actor_name=eq:user,x", []int64{1, 3, 4, 5}, 4},
		{profiles{d}, "actor_name=eq:user,x", []int64{}, 0},
		{profiles{l, v7, v8}, "action=eq:POST%20/api/v2/x/%7Bid%7D", []int64{4}, 1},
		{profiles{d}, "action=~eq:post", []int64{3, 4}, 2},
		{profiles{d}, "id=~eq:3", []int64{3}, 1},
		{profiles{d}, "source=eq:192.168.7.7", []int64{5}, 1},
		{profiles{d}, "source=~eq:168.7", []int64{5}, 1},
		{profiles{d}, "source=neq:192.168.7.7", []int64{2, 3, 4}, 4},
		{profiles{l, v7, v8}, "source_ip_address=neq:192.168.7.7", []int64{2, 3, 4}, 4},
		{profiles{d}, "source_ip_address=eq:192.168.7.7", []int64{1, 2, 3, 4, 5}, 6}, // not a parameter
		{profiles{l, v7, v8}, "source_ip_address=eq:192.168.7.7", []int64{5}, 1},
		{profiles{l, v7, v8}, "action=LoginAttempt", []int64{1, 2, 3, 4, 5}, 6},
		{profiles{l, v7, v8}, "action=eq:", []int64{1, 2, 3, 4, 5}, 6},
		{profiles{l, v7, v8}, "actor_name=eq:José", []int64{}, 0}, // read as "Jos"
		{profiles{v7, v8}, "actor_name=eq:null", []int64{2}, 1},
		{profiles{v7, v8}, "actor_name=neq:null", []int64{1, 3, 4, 5}, 5},
		{profiles{d, l, v7, v8}, "actor_name=neq:x", []int64{1, 3, 4, 5}, 5}, // NULL is not different from a text
		{profiles{d, l, v7, v8}, "actor_name=eq:x", []int64{}, 0},
		{profiles{d}, "actor_name=~eq:u", []int64{1, 3, 4, 5}, 4},
		{profiles{v7, v8}, "id=eq:3.0", []int64{3}, 1},
		{profiles{v7, v8}, "id=lt:2.5", []int64{1, 2}, 2},
		{profiles{v7, v8}, "id=lt:1e300", []int64{1, 2, 3, 4, 5}, 6},
		{profiles{v7, v8}, "created_at=eq:null", []int64{}, 1},
		{profiles{v7, v8}, "id=neq:null", []int64{1, 2, 3, 4, 5}, 6},
		{profiles{v7, v8}, "id=gt:null", []int64{}, 0},
		{profiles{l}, "actor_name=eq:null", []int64{}, 0},
		{profiles{l, v7, v8}, "actor_id=eq:u&before=2026-01-15T10:34:56Z&offset=1&limit=1", []int64{3}, 6},
		{profiles{l, v7, v8}, "request_id=eq:r&limit=1", []int64{1}, 6},
	} {
		for _, p := range tt.profiles {
			t.Run(string(p)+" "+tt.query, func(t *testing.T) {
				got := newDouble(p, rows...).page(t, "?"+tt.query)
				wantIDs(t, got, tt.want...)
				if got.Count != nil && *got.Count != tt.count {
					t.Errorf("count %d, want %d", *got.Count, tt.count)
				}
			})
		}
	}
}

// FuzzQuery looks for a query that breaks the server.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"limit=1&skip=1", "id=gt:1&action=eq:a%20b", "sort_by=-id&sort_by=created_at",
		"created_at=gte:2026-01-15T09:34:56%2B02:00",
		"after=2026-01-15T12:34:56,5Z", "a=~eq:null", "limit=99999999999999999999", "offset=9223372036854775807", "%zz;=",
	} {
		f.Add(seed)
	}
	doubles := make(map[bt.Profile]*double)
	for _, p := range bt.Profiles[:len(bt.Profiles)-1] { // the last one grows with each request
		doubles[p] = newDouble(p, history.Corner()[:20]...)
	}
	f.Fuzz(func(t *testing.T, query string) {
		values, _ := url.ParseQuery(query) // the readable part of it, as on the server
		for p, d := range doubles {
			r := httptest.NewRequest(http.MethodGet, auditPath, http.NoBody)
			r.URL.RawQuery = query
			r.Header.Set("Authorization", d.bearer)
			w := d.do(r)
			if w.Body.Len() == 0 && w.Code == http.StatusOK && slices.Contains(values["sort_by"], "") {
				continue // the handlers panic over it
			}
			if !json.Valid(w.Body.Bytes()) || !slices.Contains([]int{200, 400, 500}, w.Code) {
				t.Errorf("%s: %d %s", p, w.Code, w.Body)
			}
		}
	})
}
