package page

import (
	"fmt"
	"slices"
	"strings"

	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// A check is a line of the first page.
type check struct {
	What, Seen, Result string
	Level              string // "ok", "warn", "bad", or "none" if it was not done
}

// A kind is a check, and the codes of its findings.
type kind struct {
	what  string
	codes []verify.Code
	seen  func(f *Facts) string // returns "" if the check was not done
}

// kinds are the checks. A finding with any other code gets a line of its own.
func kinds() []kind {
	return []kind{
		{"Entries: each is there, in its place, unchanged", []verify.Code{
			verify.EntriesLost, verify.EntryMissing, verify.EntryMisplaced, verify.EntryChanged, verify.EntryShadowed, verify.EntryHidden,
			verify.Pruned,
		}, (*Facts).entries},
		{"Counts of the entries add up", []verify.Code{verify.EntryCounts}, (*Facts).entries},
		{"Windows leave out no time, and none is there twice", []verify.Code{verify.WindowGap, verify.WindowOverlap}, (*Facts).entries},
		{"State for the next run is readable", []verify.Code{verify.SetDamaged, verify.LeaseUnreadable}, func(f *Facts) string {
			return plural(len(f.Report.Streams), "journal")
		}},
		{"Heads: the journals have grown out of them", []verify.Code{
			verify.RolledBack, verify.Forked, verify.HeadChanged, verify.HeadUnknown, verify.HeadUnchecked, verify.HintMissing, verify.HintStale,
			verify.TipUnsealed, verify.TileMissing, verify.TileDiffers, verify.NoAnchor, verify.AnchorLate,
		}, func(f *Facts) string {
			return "those in the store, and " + comma(int64(f.Report.Heads)) + " that the reader had kept"
		}},
		{"Signatures of the newest head, and of entries above it", []verify.Code{
			verify.HeadSignature, verify.HintSignature, verify.EntrySignature, verify.Downgraded,
		}, func(f *Facts) string {
			if len(f.Keys) == 0 {
				return ""
			}
			return plural(len(f.Keys), "key") + ", given by the reader"
		}},
		{"Objects: each is there, with its size and SHA-256", []verify.Code{
			verify.ObjectMissing, verify.ObjectSize, verify.ObjectDiffers, verify.ObjectShadowed, verify.ObjectHidden,
		}, (*Facts).objects},
		{
			"No object that no entry names",
			[]verify.Code{verify.ObjectUnknown, verify.ObjectReturned, verify.CompactUnfinished},
			func(f *Facts) string {
				if f.objects() == "" {
					return ""
				}
				return "listing of the archive"
			},
		},
		{
			"Records: number, ids, order, day, records_root; none twice",
			[]verify.Code{verify.ObjectContents, verify.IDTwice},
			func(f *Facts) string {
				if f.Report.Depth != verify.Read {
					return ""
				}
				return f.objects()
			},
		},
	}
}

func (f *Facts) entries() string {
	n := int64(0)
	for _, s := range f.Report.Streams {
		n += s.Entries
	}
	switch {
	case f.Report.Depth == verify.Heads:
		return "the newest " + comma(n)
	case f.Report.Sample != nil:
		return comma(n) + ", a part"
	}
	return comma(n)
}

func (f *Facts) objects() string {
	if f.Archive == "" || f.Report.Depth == verify.Heads {
		return ""
	}
	return fmt.Sprintf("%s, with %s records", plural64(f.Report.Objects, "object"), comma(f.Report.Records))
}

// checks returns the lines of the first page. If any part could not be read, no line is good.
func (f *Facts) checks() (all []check) {
	left := map[verify.Code]bool{}
	for _, found := range f.Report.Findings {
		if found.Severity != verify.Info {
			left[found.Code] = true
		}
	}
	wanted := kinds()
	if f.Compared != "" {
		wanted = append(wanted, kind{"Days: none lacks a record that the live server has", []verify.Code{
			verify.SourceMore, verify.SourceUncounted,
		}, func(f *Facts) string { return f.Compared }})
	}
	for _, k := range wanted {
		c := check{What: k.what, Seen: k.seen(f)}
		c.judge(f.Report, k.codes)
		for _, code := range k.codes {
			delete(left, code)
		}
		all = append(all, c)
	}
	for _, found := range f.Report.Findings {
		if left[found.Code] {
			c := check{What: "Other", Seen: string(found.Code)}
			c.judge(f.Report, []verify.Code{found.Code})
			delete(left, found.Code)
			all = append(all, c)
		}
	}
	return all
}

func (c *check) judge(r *verify.Report, codes []verify.Code) {
	count := map[verify.Severity]int{}
	more := map[verify.Code]int{}
	var at []string
	for i, found := range shown(r) {
		if slices.Contains(codes, found.Code) {
			count[found.Severity]++
			at = append(at, fmt.Sprint(i+1))
			if more[found.Code] == 0 { // findings beyond the list count as its worst
				more[found.Code] = r.More[found.Code]
				count[found.Severity] += r.More[found.Code]
			}
		}
	}
	const most = 3
	numbers := strings.Join(at[:min(len(at), most)], ", ")
	if len(at) > most {
		numbers += ", …"
	}
	switch {
	case count[verify.Error] > 0:
		c.Level, c.Result = "bad", fmt.Sprintf("%s (%s)", plural(count[verify.Error], "error"), numbers)
	case count[verify.Warning] > 0:
		c.Level, c.Result = "warn", fmt.Sprintf("%s (%s)", plural(count[verify.Warning], "warning"), numbers)
	case c.Seen == "":
		c.Level, c.Result = "none", "not done"
	case len(r.Unread) > 0:
		c.Level, c.Result = "none", "not known"
	default:
		c.Level, c.Result = "ok", "no finding"
	}
	if c.Seen == "" {
		c.Seen = "–"
	}
}

// shown are the findings with a number: errors and warnings.
func shown(r *verify.Report) (all []verify.Finding) {
	for _, f := range r.Findings {
		if f.Severity != verify.Info {
			all = append(all, f)
		}
	}
	return all
}

// unchecked lists the parts that were not checked. The page claims nothing about them.
func (f *Facts) unchecked() (all []string) {
	r := f.Report
	add := func(yes bool, text string) {
		if yes {
			all = append(all, text)
		}
	}
	heads, files := r.Depth == verify.Heads, f.Archive != ""
	add(len(r.Unread) > 0, "Not everything could be read, so nothing is claimed about what is not named as a finding.")
	add(r.Sample != nil, "Only a part of the entries and of their objects was looked at, as the depth says.")
	add(heads, "Earlier entries than the newest 256 of each journal, and all objects, were not looked at: verify without --heads does.")
	add(!heads && !files, "No object of the archive was looked at, only the journals of the webhook.")
	add(!f.All, "Only the journals above were looked at. There may be others in the same store.")
	add(r.Depth == verify.Objects && files, "The records were not read. If the store tells the SHA-256 of an object, that is the store's "+
		"statement and not ours: verify --read reads every byte.")
	add(!heads && files && (!r.Since.IsZero() || !r.Until.IsZero()), "Objects of other days than those of the period were not looked at.")
	add(len(f.Keys) == 0, "No signature was opened, since no public key was given (--key). A person who may write to the store could have "+
		"written other journals that fit together.")
	add(r.Heads == 0, "The journals were not compared with a head that was kept outside of their store (--head, such as out of the SIEM, an "+
		"anchor or last year's report). If a person removed the newest entries with all their traces, the store alone does not show it.")
	add(len(f.Keys) > 0, "What was written with the signing key after the newest head that is remembered elsewhere is vouched for by that "+
		"key alone. The key shows who wrote, and not that it is true.")
	add(f.Compared == "", "The days were not counted again at the live server. The counts here are those of the time when each window "+
		"was read.")
	add(true, "Records that a person changed or deleted in BloodHound before they were first read, and actions that BloodHound never "+
		"recorded, leave no trace here.")
	add(true, "Whether an action happened as it is recorded, and who did it, is BloodHound's statement.")
	add(true, "Who may write to, delete from or read the store, and for how long it locks objects, was not looked at.")
	for _, found := range r.Findings {
		switch found.Code {
		case verify.VersionsUnchecked, verify.TenantUnchecked, verify.Adopted:
			all = append(all, plain(found.Text))
		default: // missing signatures and keys are named above, and the other codes are about checks that were done
		}
	}
	return all
}
