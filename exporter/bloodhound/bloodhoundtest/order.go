package bloodhoundtest

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// order is what a page is sorted by: the direction, then the keys within a group.
type order struct {
	by   api.Direction
	keys []sortKey
}

type sortKey struct {
	compare    func(a, b *entry) int
	descending bool
	unique     bool // no two rows have the same
}

// next cuts the first group off a span that is sorted by created_at.
func (o order) next(span []*entry) (group, rest []*entry) {
	last := len(span) - 1
	switch o.by {
	case api.NewestFirst:
		i := last
		for i > 0 && span[i-1].at == span[last].at {
			i--
		}
		return span[i:], span[:i]
	case api.OldestFirst:
		i := 1
		for i <= last && span[i].at == span[0].at {
			i++
		}
		return span[:i], span[i:]
	default:
		return span, nil
	}
}

func (o order) arrange(ties []*entry, shuffle *rand.Rand) {
	if len(ties) < 2 {
		return
	}
	if slices.ContainsFunc(o.keys, func(k sortKey) bool { return k.unique }) {
		slices.SortFunc(ties, o.compare) // they are in the order of their ids: of very many, turning that round is soon done
		return
	}
	shuffle.Shuffle(len(ties), func(i, j int) { ties[i], ties[j] = ties[j], ties[i] })
	slices.SortStableFunc(ties, o.compare)
}

func (o order) compare(a, b *entry) int {
	for _, key := range o.keys {
		c := key.compare(a, b)
		if key.descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// comparisons orders by one column.
var comparisons = map[string]func(a, b *entry) int{
	"id":                func(a, b *entry) int { return cmp.Compare(a.ID, b.ID) },
	"created_at":        func(a, b *entry) int { return cmp.Compare(a.at, b.at) },
	"actor_id":          byText("actor_id"),
	"actor_name":        byText("actor_name"),
	"actor_email":       byText("actor_email"),
	"action":            byText("action"),
	"request_id":        byText("request_id"),
	"source":            byText("source"),
	"source_ip_address": byText("source_ip_address"),
	"status":            byText("status"),
}

// byText compares as the database does: NULL comes after every text.
func byText(column string) func(a, b *entry) int {
	text := texts[column]
	return func(a, b *entry) int {
		switch aNull, bNull := a.null(column), b.null(column); {
		case aNull && bNull:
			return 0
		case aNull:
			return 1
		case bNull:
			return -1
		}
		return cmp.Compare(*text(&a.Row), *text(&b.Row))
	}
}

// texts finds one text column.
var texts = map[string]func(*Row) *string{
	"actor_id":          func(r *Row) *string { return &r.ActorID },
	"actor_name":        func(r *Row) *string { return &r.ActorName },
	"actor_email":       func(r *Row) *string { return &r.ActorEmail },
	"action":            func(r *Row) *string { return &r.Action },
	"request_id":        func(r *Row) *string { return &r.RequestID },
	"source":            func(r *Row) *string { return &r.SourceIP },
	"source_ip_address": func(r *Row) *string { return &r.SourceIP },
	"status":            func(r *Row) *string { return &r.Status },
}
