package verify

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/houndtrail/houndtrail/config/setting"
)

// A Severity says how bad a finding is.
type Severity string

// The severities.
const (
	Error   Severity = "error" // something is not as it was committed
	Warning Severity = "warn"  // it may be harmless, but a person should look
	Info    Severity = "info"  // it was not checked, so the report claims nothing; or it is explained
)

// A Code names the kind of a finding.
type Code string

// The codes.
const (
	EntriesLost       Code = "entries-lost"
	EntryMissing      Code = "entry-missing"
	EntryMisplaced    Code = "entry-misplaced"
	EntryChanged      Code = "entry-changed"
	EntryShadowed     Code = "entry-shadowed"
	EntryHidden       Code = "entry-hidden"
	EntryCounts       Code = "entry-counts"
	WindowGap         Code = "window-gap"
	WindowOverlap     Code = "window-overlap"
	SetDamaged        Code = "set-damaged"
	LeaseUnreadable   Code = "lease-unreadable"
	HintMissing       Code = "hint-missing"
	HintStale         Code = "hint-stale"
	TipUnsealed       Code = "tip-unsealed"
	RolledBack        Code = "rolled-back"
	Forked            Code = "forked"
	HeadChanged       Code = "head-changed"
	HeadUnknown       Code = "head-unknown"
	HeadUnchecked     Code = "head-unchecked"
	HeadSignature     Code = "head-signature"
	HintSignature     Code = "hint-signature"
	EntrySignature    Code = "entry-signature"
	Downgraded        Code = "downgraded"
	SignedLate        Code = "signed-late"
	KeyUnvouched      Code = "key-unvouched"
	KeyAccepted       Code = "key-accepted"
	KeyRevoked        Code = "key-revoked"
	KeyUnpinned       Code = "key-unpinned"
	Pruned            Code = "pruned"
	ObjectMissing     Code = "object-missing"
	ObjectSize        Code = "object-size"
	ObjectDiffers     Code = "object-differs"
	ObjectShadowed    Code = "object-shadowed"
	ObjectHidden      Code = "object-hidden"
	ObjectUnknown     Code = "object-unknown"
	ObjectContents    Code = "object-contents"
	IDTwice           Code = "id-twice"
	ObjectReturned    Code = "object-returned"
	CompactUnfinished Code = "compact-unfinished"
	Compacted         Code = "compacted"
	ForgetUnfinished  Code = "forget-unfinished"
	Forgotten         Code = "forgotten"
	Attempt           Code = "attempt"
	Adopted           Code = "adopted"
	DeadLetters       Code = "dead-letters"
	LettersDropped    Code = "letters-dropped"
	LetterMissing     Code = "letter-missing"
	LetterDiffers     Code = "letter-differs"
	LetterUnknown     Code = "letter-unknown"
	TenantUnchecked   Code = "tenant-unchecked"
	VersionsUnchecked Code = "versions-unchecked"
	Unsigned          Code = "unsigned"
	NoAnchor          Code = "no-anchor"
	AnchorLate        Code = "anchor-late"
	TileMissing       Code = "tile-missing"
	TileDiffers       Code = "tile-differs"
	SourceMore        Code = "source-more"
	SourceFewer       Code = "source-fewer"
	SourceDropped     Code = "source-dropped"
	SourceExplained   Code = "source-explained"
	SourcePending     Code = "source-pending"
	SourceUnchecked   Code = "source-unchecked"
	SourceUncounted   Code = "source-uncounted"
	SourceBefore      Code = "source-before"
)

const (
	restore     = "Restore this very object from an earlier version or a backup. Do not run houndtrail before that."
	restoreFile = "Restore it from an earlier version or a backup. Without one, BloodHound may still have its records: export them " +
		"into an archive at another address."
	restoreLetter = "Restore the object from an earlier version or a backup. Without one, the archive still has the record: houndtrail " +
		"replay sends its time again. Then drop the letter with that reason (houndtrail deadletter drop)."
	report = "Keep the object as it is, and report it together with its entry: it is a defect or a forgery."
	forged = "If the key is the right one, another writer wrote this: look in earlier versions who did, and restore the journal. Do not " +
		"run houndtrail before that."
	uncover = "Delete the newer version, and find out in the store's access log who wrote it."
)

// advice is the next step for each finding.
//
//nolint:gochecknoglobals // a constant
var advice = map[Code]string{
	EntriesLost:     "Restore the lost entries from earlier versions or a backup. Do not run houndtrail before that.",
	EntryMissing:    restore,
	EntryMisplaced:  "Restore each entry under its own key. Do not run houndtrail before that.",
	EntryChanged:    restore,
	EntryShadowed:   uncover,
	EntryHidden:     "Delete the delete marker, and find out in the store's access log who wrote it.",
	EntryCounts:     "A person or a defect changed it: compare it with a backup, and report it.",
	WindowGap:       "Run houndtrail backfill for this time, if it is before the stream's start. Otherwise report it.",
	WindowOverlap:   "Records of this time may be there twice: verify with --read, and report it.",
	SetDamaged:      restore,
	LeaseUnreadable: "Restore it from an earlier version: the next run needs the windows that it names.",
	HintMissing: "No crash removes it. Compare the newest entry with the log of the last run, then run houndtrail once: it writes " +
		"the hint.",
	HintStale:   "Run houndtrail once: it writes the hint.",
	TipUnsealed: "Run houndtrail once: it writes the head. If that does not help, compare the newest entry with the log of the last run.",
	RolledBack: "Keep the head: it is evidence. Restore the lost entries from earlier versions or a backup. Do not run houndtrail before " +
		"that.",
	Forked: "Keep both heads: they prove that the key's holder or the store has shown two histories. Let no run go on, and find the " +
		"first entry that differs from a backup.",
	HeadChanged:    "Find out in the store's access log who wrote it. The entries themselves fit together.",
	HeadUnknown:    "Give a head of this journal. If this is the right one, find out why the journal was begun anew.",
	HeadUnchecked:  "Put right what the other findings name, and verify again.",
	HeadSignature:  forged,
	HintSignature:  forged,
	EntrySignature: forged,
	Downgraded: "Find the signed entry in an earlier version or a backup, and restore it. Do not run houndtrail before that. If the " +
		"owner says that this journal was never signed, the key says nothing about it: verify the signed one alone (--stream).",
	SignedLate: "Nothing, if the owner says that signing began then. If the journal was signed before, it was written anew without the " +
		"key. A head that was kept from before that time says more about these entries.",
	KeyUnvouched: "Ask the journal's owner. If the earlier keys were lost and the new one is his, verify again with --accept-key FILE, the " +
		"new public key. Otherwise another writer took the journal over: look in earlier versions who did, and restore it.",
	KeyAccepted: "Nothing: you accepted the key. Compare its SHA-256 with the journal's owner.",
	KeyRevoked: "A head that was kept before that time says more about these entries. Compare their days with the source, as long as it " +
		"has them.",
	KeyUnpinned:       "Give the public key that the journal's owner published outside of the store: --key FILE.",
	Pruned:            "Nothing, if a lifecycle rule of yours removed them. Otherwise restore them.",
	ObjectMissing:     restoreFile,
	ObjectSize:        restoreFile,
	ObjectDiffers:     restoreFile,
	ObjectShadowed:    uncover,
	ObjectHidden:      "Delete the delete marker, and find out in the store's access log who wrote it.",
	ObjectUnknown:     "Queries see its rows. Keep a copy elsewhere, move it out of the archive, and find out who wrote it.",
	ObjectContents:    report,
	IDTwice:           report,
	ObjectReturned:    "Queries see its rows twice. Find out in the store's access log who wrote it, and run houndtrail compact.",
	CompactUnfinished: "Run houndtrail compact: it finishes the compaction. Until then queries see these rows twice.",
	Compacted:         "Nothing: each compaction's entry names what it replaced, and its own object was checked.",
	ForgetUnfinished: "Run houndtrail forget again: it removes these objects. If one came back, find out in the store's access log who " +
		"wrote it.",
	Forgotten:      "Nothing: a person removed them on purpose, and the entry says why.",
	Attempt:        "Run houndtrail once: it makes the attempt again and replaces the object.",
	Adopted:        "Nothing: an adoption counts objects and does not note their hashes.",
	DeadLetters:    "Run houndtrail deadletter list: it shows why. Mend the receiver, and run houndtrail deadletter retry.",
	LettersDropped: "Nothing: a person dropped them, and the entries of kind letters say why (houndtrail history -o json).",
	LetterMissing:  restoreLetter,
	LetterDiffers:  restoreLetter,
	LetterUnknown: "Nothing, if an attempt at the window failed, and the receiver took the record later. Otherwise find out in " +
		"the store's access log who wrote it. No run sends it.",
	TenantUnchecked: "Verify it with the journal of that tenant.",
	VersionsUnchecked: "A directory keeps no versions. In a bucket that does, give the verifier s3:ListBucketVersions and " +
		"s3:GetObjectVersion: then the original is found below what covers it.",
	NoAnchor: "Set " + setting.AnchorURL + " for the runs to a place of another account, or find out in the log of the runs why none of " +
		"them wrote there.",
	AnchorLate: "See that " + setting.AnchorURL + " is set for the runs, and find the reason in their log.",
	TileMissing: "Nothing depends on it. houndtrail writes a tile after its entry, or at its next start: if that does not help, look in the " +
		"log, and in the store's access log who removed it.",
	TileDiffers: "The entries are right, and other tools that read tiles are misled. Find out in the store's access log who wrote it, and " +
		"delete it.",
	SourceMore: "If they appeared late, the next search for late records delivers those of its time (" + setting.Rescan + "): run verify " +
		"--source again after it. Export what is still missing into an archive at another address while the server has it, and report it.",
	SourceFewer: "Nothing, if the server drops old records or a backup of it was restored: the archive keeps them. Otherwise find out who " +
		"removed records from BloodHound's database.",
	SourceDropped:   "Nothing: the archive keeps what the server drops.",
	SourceExplained: "Nothing: the journal names each of them (houndtrail history -o json).",
	SourcePending:   "Nothing, if houndtrail runs: the next run delivers them. Run verify --source again after it.",
	SourceUncounted: "Run verify --source again in a quieter hour.",
	SourceBefore:    "Run houndtrail backfill if the archive is to have them, too.",
	SourceUnchecked: "Nothing: no number of today can confirm these days. Their entries tell what the server counted at that time.",
	Unsigned: "Sign the journal: name a key of houndtrail keygen in " + setting.SigningKey + "_FILE. Keep heads outside of the store, and " +
		"give them to verify with --head FILE.",
}

// A Finding is a fault, or a part that was not checked.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Stream   string   `json:"stream,omitempty"`
	Entry    uint64   `json:"entry,omitempty"`
	Key      string   `json:"key,omitempty"`
	Text     string   `json:"text"`
	Advice   string   `json:"advice"`
}

// mostOfACode is the largest number of findings of one code in a report. In a wrong place, every object is missing.
const mostOfACode = 1000

// findings are the findings so far. Several goroutines may use it at a time.
type findings struct {
	mu    sync.Mutex
	list  []Finding
	kept  map[Code]int
	count map[Severity]int
	more  map[Code]int
}

func (f *findings) add(found Finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == nil {
		f.kept, f.count, f.more = map[Code]int{}, map[Severity]int{}, map[Code]int{}
	}
	found.Advice = advice[found.Code]
	f.count[found.Severity]++
	if f.kept[found.Code]++; f.kept[found.Code] > mostOfACode {
		f.more[found.Code]++
		return
	}
	f.list = append(f.list, found)
}

// Add adds findings of other checks than the verification itself.
func (r *Report) Add(found ...Finding) {
	all := findings{list: r.Findings, kept: map[Code]int{}, count: r.Counts, more: r.More}
	for _, f := range r.Findings {
		all.kept[f.Code]++
	}
	if all.more == nil {
		all.more = map[Code]int{}
	}
	if all.count == nil {
		all.count = map[Severity]int{}
	}
	for _, f := range found {
		all.add(f)
	}
	r.Findings, r.Counts, r.More = all.sorted(), all.count, all.more
}

// soften turns the earlier errors into warnings. An adoption follows them, so they no longer count.
func (f *findings) soften(serial uint64, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.list {
		if found := &f.list[i]; found.Severity == Error && found.Entry < serial {
			found.Severity = Warning
			found.Text += why
			f.count[Error]--
			f.count[Warning]++
		}
	}
}

// take adds the findings of another list.
func (f *findings) take(other *findings) {
	for _, found := range other.list {
		f.add(found)
	}
	if f.more == nil && len(other.more) > 0 {
		f.more = map[Code]int{}
	}
	rest := maps.Clone(other.count)
	for _, found := range other.list {
		rest[found.Severity]--
	}
	for severity, n := range rest {
		f.count[severity] += n
	}
	for code, n := range other.more {
		f.more[code] += n
	}
}

// sorted returns the findings, the worst first.
func (f *findings) sorted() []Finding {
	rank := map[Severity]int{Error: 0, Warning: 1, Info: 2}
	slices.SortStableFunc(f.list, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank[a.Severity], rank[b.Severity]), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Entry, b.Entry),
			cmp.Compare(a.Key, b.Key), cmp.Compare(a.Code, b.Code))
	})
	return f.list
}
