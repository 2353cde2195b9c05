package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/recount"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/archive/verify/page"
	"github.com/houndtrail/houndtrail/sink/archive/verify/source"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	heads, read  bool
	source       bool
	proof        string
	page         string
	noActors     bool
	since, until string
	keys, accept []string
	kept         []string
	stream       choice
	output       choice
}

const verifyHelp = `Check the archive and the journals against each other: that every entry is there, unchanged and in its place; that the
entries add up and leave out no time; that every object that they name is there, with its size and SHA-256; and that there is no
object that no entry names. --read also reads every object, and compares its records with the entry. --heads only looks at the
newest entries.

It writes nothing, and without --source needs no secret and no BloodHound: only the places of the archive and of the journal, and
the right to read them. So it also works on a copy: set HOUNDTRAIL_ARCHIVE_URL and HOUNDTRAIL_CHECKPOINT_URL to its folders. It may
run beside houndtrail run.

In a bucket with versions, it finds the original below a newer version or a delete marker.

A person who may write to the store can write another journal that fits together. Two things show that, if they come from outside
of the store. --key names the owner's public key (PEM): the newest head of each journal has to be signed with it. --head names a
head that you kept, or a log with heads: the journal has to have grown out of it, and out of the heads at HOUNDTRAIL_ANCHOR_URL.

The journal names each later key, and an earlier one vouches for it. So one key that you know is enough. If the owner lost all keys,
no earlier key vouches for the new one: then ask the owner, and name it with --accept-key. The report says so.

--source also compares each day of the archive with BloodHound, which counts its records anew: it names the days of which the archive
lacks records (exit code 6), with some of the ids, and the days that BloodHound has dropped since. It needs the settings of a run. If
BloodHound cannot count a day, the exit code is 3.

--proof checks the proof of one record, which houndtrail prove has made, and looks at nothing else. Without --key it is not proved
who signed, and the exit code is 6.

--report writes a page for an auditor, too: what was checked and what was not, each day by the server's own count, findings, and how
to check the signature by hand. With --read it also has the actions and the actors; --no-actors leaves people out.

It prints every finding with what to do. Exit code 6: something is not as it was committed. 4: something could not be read. 0: there
is no error, but maybe a warning, or something that was not checked.`

func (p *program) verify() *cobra.Command {
	o := verifyOptions{
		stream: choice{"all", []string{"all", stream.Archive, stream.Webhook}},
		output: choice{"table", []string{"table", "json"}},
	}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that the archive is as it was committed",
		Long:  verifyHelp,
		Example: `  houndtrail verify
  houndtrail verify --read --since 2026-01-01 --until 2026-02-01
  houndtrail verify --key owner.pub.pem --head last-year.note
  houndtrail verify --read --key owner.pub.pem --report report.html
  houndtrail verify --source --since 2026-01-01
  houndtrail verify --stream archive -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.noActors && o.page == "":
				return stream.Usagef("--no-actors leaves people out of the page of --report: name its file with --report")
			case o.proof != "" && (o.page != "" || o.source):
				return stream.Usagef("--report and --source are about an archive, and --proof about one record: leave out one of them")
			case o.source && (o.heads || o.stream.value == stream.Webhook):
				return stream.Usagef("--source needs every entry of the archive's journal: leave out --heads and --stream webhook, or --source")
			case o.proof != "":
				return verifyProof(p.stdout, o.proof, o.keys)
			}
			return p.runVerify(cmd.Context(), &o)
		},
	}
	o.flags(cmd.Flags())
	return cmd
}

func (o *verifyOptions) flags(f *pflag.FlagSet) {
	f.BoolVar(&o.heads, "heads", false, "only the newest entries of each journal; no object")
	f.BoolVar(&o.read, "read", false, "read every object, and compare its records with its entry")
	f.BoolVar(&o.source, "source", false, "also compare the number of records of each day with BloodHound's own count")
	f.StringArrayVar(&o.keys, "key", nil, "a file with a public key of the journal's owner, or of the proof's (PEM); may be repeated")
	f.StringArrayVar(&o.accept, "accept-key", nil,
		"a file with a public key that no earlier key vouches for, since those were lost (PEM); may be repeated")
	f.StringArrayVar(&o.kept, "head", nil, "a file with heads that you kept, or a log with them; may be repeated")
	f.StringVar(&o.since, "since", "", "only objects of this day or later ones; the journals are checked whole")
	f.StringVar(&o.until, "until", "", "only objects of days before this time")
	f.StringVar(&o.proof, "proof", "", "check this proof of a record instead, without any store; see houndtrail prove")
	f.StringVar(&o.page, "report", "", "also write the result as a page for an auditor to this file (HTML)")
	f.BoolVar(&o.noActors, "no-actors", false, "leave people out of the page of --report")
	f.Var(&o.stream, "stream", "only this one and its backfill: archive or webhook")
	f.VarP(&o.output, "output", "o", "form of the report")
}

func (p *program) runVerify(ctx context.Context, o *verifyOptions) error {
	asked, err := o.parse()
	if err != nil {
		return stream.Usage(err)
	}
	need := config.NeedCheckpoint
	if o.source {
		need |= config.NeedBloodHound | config.NeedArchive
	}
	c, err := p.load(need)
	if err != nil {
		return err
	}
	set := stream.NewSet(c, p.asked().process(p.logger(c.Log)))
	if err := p.verified(ctx, c, set, o.stream.value, &asked); err != nil {
		return err
	}
	write := func(*verify.Report, *source.Result) error { return nil }
	if o.page != "" {
		file, err := show.NewFile(o.page)
		if err != nil {
			return stream.Usagef("--report: %w", err)
		}
		defer file.Abort()
		write = p.paged(file, o, &asked)
	}
	report, compared, err := p.compared(ctx, c, set, o.source, asked)
	if errors.Is(err, context.Canceled) || report == nil {
		return err
	}
	if err := show.Verification(p.stdout, report, compared, o.output.value); err != nil {
		return err
	}
	if report.Counts[verify.Error] > 0 {
		err = errors.Join(fmt.Errorf("%w: see the report", stream.ErrTampered), err)
	}
	if unwritten := write(report, compared); unwritten != nil {
		return errors.Join(err, stream.Usagef("--report: %w", unwritten))
	}
	return err
}

// compared verifies and, if that is asked for, compares the archive with its source. A journal that could not be read has no numbers
// to compare.
func (p *program) compared(
	ctx context.Context, c *config.Config, set *stream.Set, wanted bool, asked verify.Options,
) (*verify.Report, *source.Result, error) {
	var again *recount.Recount
	if wanted {
		var err error
		if again, err = recount.New(ctx, c, set, asked); err != nil {
			return nil, nil, err
		}
		asked.Watch = verify.Watch(asked.Watch, again)
	}
	counter := show.NewCounter(p.stderr, "entries and objects")
	asked.Progress = counter.Progress
	report, err := verify.Run(ctx, asked)
	counter.End()
	if err != nil || again == nil {
		return report, nil, stream.At(exporter.StageSink, err)
	}
	counter = show.NewCounter(p.stderr, "days")
	again.Progress = counter.Progress
	err = again.Run(ctx, report)
	counter.End()
	return report, again.Result, err
}

// paged lets a verification keep what its page says, and returns what writes the page.
func (p *program) paged(file *show.File, o *verifyOptions, asked *verify.Options) func(*verify.Report, *source.Result) error {
	account := page.NewAccount(!o.noActors, asked.Journals...)
	asked.Watch = account
	facts := page.Facts{
		Account: account, Keys: asked.Keys, Journals: asked.Positions.String(), All: o.stream.value == "all", Version: version,
	}
	if asked.Files != nil {
		facts.Archive = asked.Files.String()
	}
	return func(r *verify.Report, compared *source.Result) error {
		now := time.Now
		if p.now != nil {
			now = p.now
		}
		facts.Report, facts.Made = r, now()
		if compared != nil {
			facts.Compared = compared.String()
		}
		return file.Commit(func(w io.Writer) error { return page.Write(w, facts) })
	}
}

func (o *verifyOptions) parse() (asked verify.Options, err error) {
	asked.Depth = verify.Objects
	switch {
	case o.heads && (o.read || o.since != "" || o.until != ""):
		return asked, errors.New("--heads looks at no object: leave out --read, --since and --until, or --heads")
	case o.heads:
		asked.Depth = verify.Heads
	case o.read:
		asked.Depth = verify.Read
	}
	var sinceErr, untilErr error
	asked.Since, sinceErr = timeOrDay("--since", o.since)
	asked.Until, untilErr = timeOrDay("--until", o.until)
	if err := errors.Join(sinceErr, untilErr, o.known(&asked)); err != nil {
		return asked, err
	}
	asked.Since = asked.Since.Truncate(24 * time.Hour) // the day that it is in
	if !asked.Until.IsZero() && !asked.Since.Before(asked.Until) {
		return asked, fmt.Errorf("--since %s is not before --until %s", o.since, o.until)
	}
	return asked, nil
}

// known reads the files and heads that the reader has from outside of the store.
func (o *verifyOptions) known(asked *verify.Options) error {
	if len(o.accept) > 0 && len(o.keys) == 0 {
		return errors.New("--accept-key is about a key that no earlier key vouches for: name an earlier one with --key, or only the " +
			"new one with --key")
	}
	var err error
	if asked.Keys, err = readKeys("--key", o.keys); err != nil {
		return err
	}
	if asked.Accept, err = readKeys("--accept-key", o.accept); err != nil {
		return err
	}
	for _, path := range o.kept {
		file, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("--head: %w", err)
		}
		heads, err := verify.ParseHeads(path, file)
		if err != nil {
			return fmt.Errorf("--head: %w", err)
		}
		asked.Heads = append(asked.Heads, heads...)
	}
	return nil
}

// verified sets the stores and the journals. It compares no journal with the identity of the configuration: a copy lies in
// another place.
func (p *program) verified(ctx context.Context, c *config.Config, set *stream.Set, name string, asked *verify.Options) error {
	positions, err := set.Journals(ctx)
	if err != nil {
		return err
	}
	asked.Positions = positions
	for _, s := range []string{stream.Archive, stream.Webhook} {
		if name != s && name != "all" { // a log has the heads of every stream
			asked.Heads = slices.DeleteFunc(asked.Heads, func(h verify.Remembered) bool {
				return h.Stream() == s || h.Stream() == stream.BackfillOf(s)
			})
			continue
		}
		asked.Journals = append(asked.Journals, stream.Journals(positions, s)...)
		for _, journal := range []string{s, stream.BackfillOf(s)} {
			if err := set.Anchored(ctx, journal, stream.MostAnchors, asked); err != nil {
				return err
			}
		}
	}
	if name == stream.Webhook || asked.Depth == verify.Heads {
		return nil
	}
	if c.Archive.URL == "" {
		return stream.Usagef("%sARCHIVE_URL is not set, so that no object of the archive can be looked at: set it, or verify the "+
			"journals alone (--heads, or --stream webhook)", config.Prefix)
	}
	asked.Files, err = set.Files(ctx)
	return err
}
