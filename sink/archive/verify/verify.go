package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/config/setting"
)

// parallel is the number of entries, and the number of objects, that are requested at a time.
const parallel = 64

// mostUnread is the number of errors that ends a verification. A store that fails so often is down.
const mostUnread = 100

// A Depth says how much a verification reads.
type Depth string

// The depths.
const (
	Heads   Depth = "heads"   // the newest entries of each journal, and the hint
	Objects Depth = "objects" // every entry; and for every object its existence, its size and its checksum
	Read    Depth = "read"    // every byte of every object, too
)

// A Journal is a journal to verify.
type Journal struct {
	*checkpoint.Journal
	Name     string
	Files    bool // its objects are files of the archive, and not batches that a receiver took
	AnyOrder bool // its windows come in any order: it is the journal of a backfill
}

// Options say what to verify.
type Options struct {
	Journals  []Journal        // a journal without an entry is left out. The archive's own journal comes before its backfill's
	Positions bucket.Reader    // the store of the journals
	Files     bucket.Inspector // the store of the archive; nil to look at no object
	Depth     Depth
	// Keys are public keys that the reader has from outside of the store. If there are none, only the keys that the journal names open
	// signatures.
	Keys []seal.PublicKey
	// Accept are public keys that the reader accepts although no earlier key vouches for them, because the earlier keys were lost.
	Accept []seal.PublicKey
	// Heads are heads that the reader has from outside of the store.
	Heads []Remembered
	// Anchors are the heads that the second place remembers; nil to report nothing about them. These heads are also among Heads.
	Anchors *Anchors
	// Since and Until bound the days of the objects. A day counts if a part of it is at or after Since and before Until. Zero is no
	// bound. The journals are verified whole in any case.
	Since, Until time.Time
	// Sample limits the verification to a part of the entries and their objects; nil for no limit.
	Sample *Sample
	// Memory bounds the bytes of bodies in memory, and separately the bytes of their records; zero for a default.
	Memory int64
	// Progress gets the number of entries and objects that are done, and the number of all so far. all grows when the verification
	// finds more of them, and is never below done.
	Progress func(done, all int64)
	Watch    Watcher // nil if the report is enough
}

// A Report is the result of a verification.
type Report struct {
	Depth    Depth            `json:"depth"`
	Since    time.Time        `json:"since,omitzero"`
	Until    time.Time        `json:"until,omitzero"`
	Sample   *Sample          `json:"sample,omitempty"`     // the limits of the verification
	Keys     []string         `json:"keys,omitempty"`       // the SHA-256 of each public key that the reader gave
	Heads    int              `json:"kept_heads,omitempty"` // heads that the reader kept, and out of which the journals grew
	Streams  []Stream         `json:"streams"`
	Objects  int64            `json:"objects"` // the number of objects that were looked at
	Bytes    int64            `json:"bytes"`   // the size of these objects
	Records  int64            `json:"records"` // their records, by the words of the entries or, if they were read, by count
	Findings []Finding        `json:"findings"`
	More     map[Code]int     `json:"more,omitempty"` // findings that are not in the list, because there are too many
	Counts   map[Severity]int `json:"counts"`
	Unread   []string         `json:"unread,omitempty"` // errors about entries and objects that could not be read
}

// A Stream is the summary of a journal.
type Stream struct {
	Name      string    `json:"stream"`
	Tenant    string    `json:"tenant"`
	First     uint64    `json:"first"`  // serial of the first entry that is there
	Newest    uint64    `json:"newest"` // serial of the newest entry
	SHA256    string    `json:"sha256"` // SHA-256 of the newest entry
	Entries   int64     `json:"entries"`
	Start     time.Time `json:"start,omitzero"`
	Cursor    time.Time `json:"cursor"`
	Delivered int64     `json:"delivered"`          // number of all delivered records, by the words of the newest entry
	Filtered  int64     `json:"filtered,omitempty"` // records that the stream's filter has left out
	Paired    int64     `json:"paired,omitempty"`   // intents that were not sent: their outcomes have their times
	Origin    string    `json:"origin"`             // the name of the journal in its heads
	Signed    bool      `json:"signed"`             // the newest entry has signatures
	// Head is the head of all entries. If the hint has the note of that head, it has its signatures, too. Keep it: the next
	// verification can compare it.
	Head        string       `json:"head"`
	SigningKeys []SigningKey `json:"signing_keys,omitempty"` // all keys that the journal itself names
}

// Run verifies. It returns an error if an entry or an object could not be read, and then the report is not complete. It also
// returns an error if ctx ends.
func Run(ctx context.Context, o Options) (*Report, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	o.Memory = cmp.Or(o.Memory, bodies)
	r := &run{
		Options: o, cancel: cancel, seed: maphash.MakeSeed(), known: map[uint64]struct{}{}, ids: map[string]*ids{},
		tenants: map[string]bool{}, memory: semaphore.NewWeighted(o.Memory),
		decoded: semaphore.NewWeighted(o.Memory), ledger: newLedger(),
	}
	r.report = Report{Depth: o.Depth, Since: o.Since, Until: o.Until, Sample: o.Sample}
	for _, key := range o.Keys {
		r.report.Keys = append(r.report.Keys, key.Fingerprint())
	}
	r.looking.SetLimit(parallel)
	var journals []*journal
	for _, j := range o.Journals {
		journals = append(journals, &journal{
			run: r, Journal: j, restored: map[uint64]checkpoint.Stored{}, rings: map[string]*seal.Keyring{},
			letters: map[string]string{},
		})
	}
	r.verify(ctx, journals)
	return r.finish(ctx, journals)
}

// verify reads the journals, and then the listing of the archive.
func (r *run) verify(ctx context.Context, journals []*journal) {
	r.unclaimed(journals)
	there := false
	for _, j := range journals {
		there = j.open(ctx) || there
	}
	if !there && !r.incomplete() {
		r.found.add(Finding{Code: EntriesLost, Severity: Error, Text: fmt.Sprintf("There is no journal in %s: either it is lost, or %s "+
			"names another place.", r.Positions, setting.CheckpointURL)})
	}
	files := r.Files != nil && r.Depth != Heads && there
	if files && r.Sample == nil {
		r.listed(ctx)
	}
	for _, j := range journals {
		j.entries(ctx)
	}
	_ = r.looking.Wait() // the functions return no error
	if files && !r.incomplete() {
		r.strangers(ctx, journals)
		r.explain(ctx, journals)
		r.twice(ctx, r.settle(ctx))
		r.readOne(ctx)
	}
}

// finish makes the report.
func (r *run) finish(ctx context.Context, journals []*journal) (*Report, error) {
	r.anchored(journals)
	for _, j := range journals {
		r.found.take(&j.found)
		if j.end.Newest > 0 {
			r.report.Streams = append(r.report.Streams, j.stream)
		}
	}
	if r.unchecked {
		r.found.add(Finding{Code: VersionsUnchecked, Severity: Info, Text: "The earlier versions of objects were not looked at: the store " +
			"keeps none, or does not show them."})
	}
	r.unproved(journals)
	report := r.report
	report.Findings, report.More, report.Counts = r.found.sorted(), r.found.more, r.found.count
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errTooMuch) {
		return &report, cause
	}
	for _, err := range r.errs {
		report.Unread = append(report.Unread, err.Error())
	}
	return &report, errors.Join(r.errs...)
}

// unproved reports the journals that no signature proves.
func (r *run) unproved(journals []*journal) {
	var unsigned, unopened []string
	for _, j := range journals {
		switch {
		case !j.tip.Readable():
		case !j.tip.Signed:
			unsigned = append(unsigned, j.Name)
		case len(r.Keys) == 0:
			unopened = append(unopened, j.Name)
		}
	}
	if len(unsigned) > 0 {
		r.found.add(Finding{Code: Unsigned, Severity: Info, Text: fmt.Sprintf("Not signed: %s. A person who may write to its store could "+
			"have written another one that fits together.", strings.Join(unsigned, ", "))})
	}
	if len(unopened) > 0 {
		r.found.add(Finding{Code: KeyUnpinned, Severity: Info, Text: fmt.Sprintf("Signed, and you gave no key: %s. Its "+
			"signatures were opened with keys that only the journal itself names, and any other key could have signed it.",
			strings.Join(unopened, ", "))})
	}
}

// unclaimed reports the heads that belong to no journal here.
func (r *run) unclaimed(journals []*journal) {
	for _, h := range r.Heads {
		if !slices.ContainsFunc(journals, func(j *journal) bool { return h.Stream() == j.Name }) {
			r.found.add(Finding{Code: HeadUnknown, Severity: Error, Text: fmt.Sprintf("The head in %s is of %s, and no journal of that stream "+
				"is verified here.", h.Where, h.Head.Origin)})
		}
	}
}

// A run is a verification that is under way.
type run struct {
	Options

	cancel  context.CancelCauseFunc
	looking errgroup.Group      // looks at objects
	memory  *semaphore.Weighted // for the bodies that are read
	decoded *semaphore.Weighted // for their records
	found   findings
	ledger  *ledger

	mu        sync.Mutex // guards the fields below
	report    Report
	errs      []error
	failed    int // the number of all errors: errs keeps only the first ones
	unchecked bool
	done, all int64

	seed    maphash.Seed
	known   map[uint64]struct{} // hashes of the keys that entries name
	tenants map[string]bool     // of the entries of the archive
	ids     map[string]*ids     // by tenant
	recent  recent              // of a sample
	chosen  chosen              // of a sample
}

// errTooMuch ends a verification when it cannot read too many entries or objects.
var errTooMuch = errors.New("too much cannot be read")

// unread notes that an entry or an object could not be read.
func (r *run) unread(err error) {
	const most = 10
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed++; r.failed <= most {
		r.errs = append(r.errs, err)
	}
	if r.failed >= mostUnread {
		r.cancel(errTooMuch)
	}
}

// incomplete tells whether an entry or an object could not be read.
func (r *run) incomplete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed > 0
}

// expect adds to the work to do, and progressed adds to the work that is done.
func (r *run) expect(n int64) { r.step(0, n) }
func (r *run) progressed()    { r.step(1, 0) }

func (r *run) step(done, all int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done, r.all = r.done+done, r.all+all
	if r.Progress != nil {
		r.Progress(r.done, max(r.all, r.done))
	}
}
