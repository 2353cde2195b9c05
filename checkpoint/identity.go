package checkpoint

import (
	"fmt"
	"strings"
)

// Identity binds a journal to one stream of one tenant, source and destination, in one encoding. All of it is stored in every
// entry and appears in errors, so it must not contain credentials. A caller that only reads may leave a part out that it does
// not know; then the journal does not compare that part.
type Identity struct {
	Tenant      string // the name of the source in keys and event ids
	Stream      string // the journal's folder in the bucket: "archive", "webhook"
	Source      string // https://tenant.example
	Destination string // s3://bucket/prefix
	Encoding    string // of the records that are written: "parquet", "ndjson"
	Writer      Writer // who commits and who holds the lease; never compared
}

// Names is the part of an identity that [Journal.Move] can change.
type Names struct {
	Tenant      string `json:"tenant"`
	Source      string `json:"source"`
	Destination string `json:"destination"`
	Encoding    string `json:"encoding"`
}

func (i Identity) names() Names { return Names{i.Tenant, i.Source, i.Destination, i.Encoding} }

func (c *Checkpoint) names() Names { return Names{c.Tenant, c.Source, c.Destination, c.Encoding} }

// without lists the parts of n that differ from ours, theirs first. A part that is empty in ours may be anything.
func (n Names) without(ours Names) string {
	var differ []string
	for _, part := range []struct{ what, theirs, ours string }{
		{"tenant", n.Tenant, ours.Tenant},
		{"source", n.Source, ours.Source},
		{"destination", n.Destination, ours.Destination},
		{"encoding", n.Encoding, ours.Encoding},
	} {
		if part.ours != "" && part.theirs != part.ours {
			differ = append(differ, fmt.Sprintf("its %s is %q and this run's is %q", part.what, part.theirs, part.ours))
		}
	}
	return strings.Join(differ, ", ")
}

// belongs refuses a journal whose newest entry has another identity: its position means nothing to this run.
func (j *Journal) belongs(s Stored) error {
	differ := s.names().without(j.id.names())
	if differ == "" {
		return nil
	}
	return fmt.Errorf("%w: %s: %s: correct the setting; or, if the change is meant (the same archive at another address, "+
		"a new host name of BloodHound, another tenant), run houndtrail move --reason \"...\" once, which goes on from "+
		"this very position", ErrForeign, j.at(j.key(s.Serial)), differ)
}

// ofStream refuses an entry of another stream. No move can make it one of this stream's.
func (j *Journal) ofStream(key string, s Stored) error {
	if s.Stream == j.id.Stream {
		return nil
	}
	return fmt.Errorf("%w: %s belongs to stream %q and lies in the folder of stream %q: put each stream's journal "+
		"back into the folder of its own name", ErrForeign, j.at(key), s.Stream, j.id.Stream)
}
