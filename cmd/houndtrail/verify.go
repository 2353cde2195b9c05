package main

import (
	"context"
	"errors"
	"fmt"
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
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	heads, read  bool
	proof        string
	since, until string
	keys, kept   []string
	stream       choice
	output       choice
}

func (p *program) verify() *cobra.Command {
	o := verifyOptions{
		stream: choice{"all", []string{"all", stream.Archive, stream.Webhook}},
		output: choice{"table", []string{"table", "json"}},
	}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that the archive is as it was committed",
		Long: `Check the archive and the journals against each other: that every entry is there, unchanged and in its place; that the
entries add up and leave out no time; that every object that they name is there, with its size and SHA-256; and that there is no
object that no entry names. --read also reads every object, and compares its records with the entry. --heads only looks at the
newest entries.

It writes nothing, and needs no secret and no BloodHound: only the places of the archive and of the journal, and the right to
read them. So it also works on a copy: set HOUNDTRAIL_ARCHIVE_URL and HOUNDTRAIL_CHECKPOINT_URL to its folders. It may run beside
houndtrail run.

In a bucket with versions, it finds the original below a newer version or a delete marker.

A person who may write to the store can write another journal that fits together. Two things show that, if they come from outside
of the store. --key names the owner's public key (PEM): the newest head of each journal has to be signed with it. --head names a
head that you kept, or a log with heads: the journal has to have grown out of it. Without a key, verify says so.

--proof checks the proof of one record, which houndtrail prove has made, and looks at nothing else. Without --key it is not proved
who signed, and the exit code is 6.

It prints every finding with what to do. The exit code is 6 if anything is not as it was committed, and 4 if something could not
be read. Warnings alone, and what was not checked, are printed with exit code 0.`,
		Example: `  houndtrail verify
  houndtrail verify --read --since 2026-01-01 --until 2026-02-01
  houndtrail verify --key owner.pub.pem --head last-year.note
  houndtrail verify --stream archive -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.proof != "" {
				return verifyProof(p.stdout, o.proof, o.keys)
			}
			return p.runVerify(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.heads, "heads", false, "only the newest entries of each journal; no object")
	f.BoolVar(&o.read, "read", false, "read every object, and compare its records with its entry")
	f.StringArrayVar(&o.keys, "key", nil, "a file with a public key of the journal's owner, or of the proof's (PEM); may be repeated")
	f.StringArrayVar(&o.kept, "head", nil, "a file with heads that you kept, or a log with them; may be repeated")
	f.StringVar(&o.since, "since", "", "only objects of this day or later ones; the journals are checked whole")
	f.StringVar(&o.until, "until", "", "only objects of days before this time")
	f.StringVar(&o.proof, "proof", "", "check this proof of a record instead, without any store; see houndtrail prove")
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
		return errors.Join(fmt.Errorf("%w: see the report", stream.ErrTampered), err)
	}
	return err
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

// known reads what the reader has from outside of the store.
func (o *verifyOptions) known(asked *verify.Options) error {
	for _, path := range o.keys {
		file, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("--key: %w", err)
		}
		key, err := seal.ReadPublicKey(file)
		if err != nil {
			return fmt.Errorf("--key %s: %w", path, err)
		}
		asked.Keys = append(asked.Keys, key)
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

// verified sets the stores and the journals. It compares no journal with the identity of the configuration: a copy is elsewhere.
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
