package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/archive/prove"
)

// proveOptions are the flags of prove.
type proveOptions struct {
	id           int64
	since, until string
	keys         []string
	output       string
	format       choice
}

func (p *program) prove() *cobra.Command {
	o := proveOptions{format: choice{"bundle", []string{"bundle", "tlog-proof"}}}
	cmd := &cobra.Command{
		Use:   "prove --id N",
		Short: "Prove one record to a third party",
		Long: `Make the proof of one record. It has the row of the record, the path to the object of its delivery, the entry of the
journal that names this object, and the path from the entry to the newest signed head. The proof is one file of JSON
and shows no other record. A third party checks it with houndtrail verify --proof, or with docs/evidence-check.py and
openssl alone. For this the third party needs the public key, from its owner and not from the proof.

The proof uses the entry that first delivered the record, even if the archive was compacted later. If a restored
database has given one id to several records, --since and --until choose one of them by its created_at.

prove writes only the proof. It needs no secret and no BloodHound: only the places of the archive and of the journal,
and the right to read them. So it also works on a copy.

--format tlog-proof prints only the path of the entry, in the form of C2SP, for tools that read it.`,
		Example: `  houndtrail prove --id 1203860 -o proof.json
  houndtrail verify --proof proof.json --key key.pub.pem`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("id") {
				return stream.Usagef("--id: which record is to be proved? Want its id, as BloodHound and the archive have it")
			}
			return p.runProve(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.Int64Var(&o.id, "id", 0, "the id of the record")
	f.StringVar(&o.since, "since", "", "only a record that was created at this time or later")
	f.StringVar(&o.until, "until", "", "only a record that was created before this time")
	f.StringArrayVar(&o.keys, "key", nil, "a file with a public key: the proof must hold with it, and gets a copy; may be repeated")
	f.StringVarP(&o.output, "output", "o", "", "the file to write (default: standard output)")
	f.Var(&o.format, "format", "form of the proof")
	return cmd
}

func (p *program) runProve(ctx context.Context, o *proveOptions) error {
	keys, err := publicKeys(o.keys)
	since, sinceErr := timeOrDay("--since", o.since)
	until, untilErr := timeOrDay("--until", o.until)
	if err := errors.Join(err, sinceErr, untilErr); err != nil {
		return stream.Usage(err)
	}
	c, err := p.load(config.NeedCheckpoint | config.NeedArchive)
	if err != nil {
		return err
	}
	set := stream.NewSet(c, p.asked().process(p.logger(c.Log)))
	positions, err := set.Journals(ctx)
	if err != nil {
		return err
	}
	files, err := set.Files(ctx)
	if err != nil {
		return err
	}
	open := func(name string) *checkpoint.Journal {
		return checkpoint.Open(positions, checkpoint.Identity{Stream: name})
	}
	counter := show.NewCounter(p.stderr, "entries")
	proof, err := prove.Record(ctx, prove.Options{
		Files: files, Positions: positions, Journal: open(stream.Archive), Backfill: open(stream.BackfillOf(stream.Archive)),
		ID: o.id, Since: since, Until: until, Keys: keys, Progress: counter.Progress,
	})
	counter.End()
	forgotten := errors.Is(err, prove.ErrForgotten) && !errors.Is(err, prove.ErrUnprovable)
	if forgotten || errors.Is(err, prove.ErrNotFound) || errors.Is(err, prove.ErrSeveral) {
		return stream.Usage(err)
	}
	if err != nil {
		return stream.At(exporter.StageSink, err)
	}
	return p.writeProof(proof, o)
}

func (p *program) writeProof(proof *prove.Proof, o *proveOptions) error {
	text := []byte(proof.Inclusion.Text(proof.Head))
	if o.format.value == "bundle" {
		var err error
		if text, err = proof.Encode(); err != nil {
			return err
		}
	}
	if o.output == "" {
		if _, err := p.stdout.Write(text); err != nil {
			return err
		}
	} else if err := os.WriteFile(o.output, text, 0o644); err != nil { //nolint:gosec // other people have to read it, and it has no secret
		return stream.Usagef("--output: %w", err)
	}
	fmt.Fprintf(p.stderr, "houndtrail: record %d of %s: entry %d delivered it in %s\n", proof.Record.ID,
		moment(proof.CreatedAt), proof.Serial, proof.Object.Key)
	if proof.Compaction > 0 {
		fmt.Fprintf(p.stderr, "houndtrail: since the compaction of entry %d it lies in %s\n", proof.Compaction, proof.Lies)
	}
	if proof.Weak != "" {
		fmt.Fprintf(p.stderr, "houndtrail: the proof goes through a compaction, and not through the entry that delivered the record: %s\n",
			proof.Weak)
	}
	if !proof.Signed {
		fmt.Fprintln(p.stderr, "houndtrail: the journal is not signed, so the proof proves nothing to a third party: set "+
			config.Prefix+"SIGNING_KEY_FILE")
	}
	return nil
}

func publicKeys(paths []string) (keys []seal.PublicKey, err error) {
	for _, path := range paths {
		file, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("--key: %w", err)
		}
		key, err := seal.ParsePublicKey(file)
		if err != nil {
			return nil, fmt.Errorf("--key %s: %w", path, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// verifyProof checks a proof. It needs no store.
func verifyProof(w io.Writer, path string, keyFiles []string) error {
	keys, err := publicKeys(keyFiles)
	if err != nil {
		return stream.Usage(err)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return stream.Usagef("--proof: %w", err)
	}
	refused := func(err error) error { return fmt.Errorf("%w: %s: %w", stream.ErrUnproved, path, err) }
	bundle, err := seal.ReadBundle(body)
	if err != nil {
		return refused(err)
	}
	pinned := len(keys) > 0
	if !pinned {
		keys = enclosed(bundle)
	}
	proved, err := bundle.Check(keys...)
	switch {
	case errors.Is(err, seal.ErrUnsigned):
		return refused(fmt.Errorf("its parts fit together, but %w: the journal has no key, so a person who may write to its store could have "+
			"made all of this. It proves nothing to a third party", err))
	case errors.Is(err, seal.ErrUnknownKey) && !pinned:
		return refused(errors.New("its parts fit together, but whose key signed it is not known: give the public key with --key, and take it " +
			"from its owner"))
	case err != nil:
		return refused(err)
	}
	if err := tellProved(w, proved); err != nil {
		return err
	}
	if !pinned {
		return refused(errors.New("it is signed by a key that only this bundle vouches for: give the public key with --key, and take it from " +
			"its owner"))
	}
	_, err = fmt.Fprintln(w, "Proved: an entry of this journal delivered this record, and the head is signed by this key.")
	return err
}

// enclosed returns the keys in a bundle, as far as they can be read. They prove nothing: the writer of the bundle chose them.
func enclosed(b *seal.Bundle) (keys []seal.PublicKey) {
	for _, text := range b.Keys {
		if key, err := seal.ParsePublicKey([]byte(text)); err == nil && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// tellProved prints the facts that the proof proves.
func tellProved(w io.Writer, p *seal.Proved) error {
	var b strings.Builder
	line := func(name, format string, values ...any) {
		fmt.Fprintf(&b, "%-18s "+format+"\n", append([]any{name}, values...)...)
	}
	line("id", "%d", p.Row.ID)
	line("created_at", "%s", moment(time.UnixMicro(p.Row.CreatedAtMicros)))
	for i, c := range record.Columns() {
		if i < len(p.Row.Columns) && p.Row.Columns[i] != nil {
			line(c.Name, "%q", *p.Row.Columns[i])
		}
	}
	line("object", "%s", p.Object.Key)
	line("its SHA-256", "%s", p.Object.SHA256)
	line("entry", "%d", p.Entry.Serial)
	line("journal", "%s", p.Head.Origin)
	line("entries in head", "%d", p.Head.Size)
	line("root of head", "%s", p.Head.Root.Base64())
	for _, key := range p.By {
		line("key (SHA-256)", "%s", key.Fingerprint())
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

func moment(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.999999Z") }

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
