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

	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/archive/verify/page"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	heads, read  bool
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

It writes nothing, and needs no secret and no BloodHound: only the places of the archive and of the journal, and the right to
read them. So it also works on a copy: set HOUNDTRAIL_ARCHIVE_URL and HOUNDTRAIL_CHECKPOINT_URL to its folders. It may run beside
houndtrail run.

In a bucket with versions, it finds the original below a newer version or a delete marker.

A person who may write to the store can write another journal that fits together. Two things show that, if they come from outside
of the store. --key names the owner's public key (PEM): the newest head of each journal has to be signed with it. --head names a
head that you kept, or a log with heads: the journal has to have grown out of it, and out of the heads at HOUNDTRAIL_ANCHOR_URL.

The journal names each later key, and an earlier one vouches for it. So one key that you know is enough. If the owner lost all keys,
no earlier key vouches for the new one: then ask the owner, and name it with --accept-key. The report says so.

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
  houndtrail verify --stream archive -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.noActors && o.page == "":
				return stream.Usagef("--no-actors leaves people out of the page of --report: name its file with --report")
			case o.proof != "" && o.page != "":
				return stream.Usagef("--report is about an archive, and --proof about one record: leave out one of them")
			case o.proof != "":
				return verifyProof(p.stdout, o.proof, o.keys)
			}
			return p.runVerify(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.heads, "heads", false, "only the newest entries of each journal; no object")
	f.BoolVar(&o.read, "read", false, "read every object, and compare its records with its entry")
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
	return cmd
}

func (p *program) runVerify(ctx context.Context, o *verifyOptions) error {
	asked, err := o.parse()
	if err != nil {
		return stream.Usage(err)
	}
	c, err := p.load(config.NeedCheckpoint)
	if err != nil {
		return err
	}
	if err := p.verified(ctx, c, o.stream.value, &asked); err != nil {
		return err
	}
	write := func(*verify.Report) error { return nil }
	if o.page != "" {
		file, err := show.NewFile(o.page)
		if err != nil {
			return stream.Usagef("--report: %w", err)
		}
		defer file.Abort()
		write = p.paged(file, o, &asked)
	}
	counter := show.NewCounter(p.stderr, "entries and objects")
	asked.Progress = counter.Progress
	report, err := verify.Run(ctx, asked)
	counter.End()
	if errors.Is(err, context.Canceled) {
		return err
	}
	if err := show.Verification(p.stdout, report, o.output.value); err != nil {
		return err
	}
	err = stream.At(exporter.StageSink, err)
	if report.Counts[verify.Error] > 0 {
		err = errors.Join(fmt.Errorf("%w: see the report", stream.ErrTampered), err)
	}
	if unwritten := write(report); unwritten != nil {
		return errors.Join(err, stream.Usagef("--report: %w", unwritten))
	}
	return err
}

// paged makes a verification keep the facts for its page. It returns the function that writes the page.
func (p *program) paged(file *show.File, o *verifyOptions, asked *verify.Options) func(*verify.Report) error {
	account := page.NewAccount(!o.noActors, asked.Journals...)
	asked.Watch = account
	facts := page.Facts{
		Account: account, Keys: asked.Keys, Journals: asked.Positions.String(), All: o.stream.value == "all", Version: version,
	}
	if asked.Files != nil {
		facts.Archive = asked.Files.String()
	}
	return func(r *verify.Report) error {
		now := time.Now
		if p.now != nil {
			now = p.now
		}
		facts.Report, facts.Made = r, now()
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

// readKeys reads the public keys that a flag names.
func readKeys(flag string, paths []string) (keys []seal.PublicKey, err error) {
	for _, path := range paths {
		file, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		key, err := seal.ReadPublicKey(file)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", flag, path, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// verified sets the stores and the journals. It compares no journal with the identity of the configuration: a copy lies in
// another place.
func (p *program) verified(ctx context.Context, c *config.Config, name string, asked *verify.Options) error {
	set := stream.NewSet(c, p.asked().process(p.logger(c.Log)))
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
			heads, err := set.AnchoredHeads(ctx, journal)
			if err != nil {
				return err
			}
			asked.Heads = append(asked.Heads, heads...)
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
