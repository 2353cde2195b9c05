package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

func (p *program) keygen() *cobra.Command {
	var public, origin string
	cmd := &cobra.Command{
		Use:   "keygen PATH",
		Short: "Make a key that signs journals, or show one",
		Long: `Make an Ed25519 key that signs journals. The private key becomes the file PATH, which only its owner can read. The
public key becomes a file beside it, whose name ends in .pub.pem. Neither file is ever overwritten. Both are PEM, which openssl reads.

With --public, print the public key of a file instead, which may have a private or a public key. With --origin, also print the
key of that journal in the form that other tools for signed notes read. One key can sign several journals; the origin is in the
first line of each head.`,
		Example: `  houndtrail keygen /etc/houndtrail/signing.pem
  houndtrail keygen --public /etc/houndtrail/signing.pub.pem`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case public != "" && len(args) > 0:
				return stream.Usagef("keygen --public makes no key: leave out %q", args[0])
			case public == "" && origin != "":
				return stream.Usagef("--origin needs --public and the file of a key")
			case public == "" && len(args) != 1:
				return stream.Usagef("keygen wants the path of the new key, got %d arguments; see: %s --help", len(args), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if public != "" {
				return printPublic(p.stdout, public, origin)
			}
			now := p.now
			if now == nil {
				now = time.Now
			}
			return makeKey(p.stdout, args[0], now().UTC())
		},
	}
	cmd.Flags().StringVar(&public, "public", "", "print the public key of this file")
	cmd.Flags().StringVar(&origin, "origin", "", "print the key of this journal too; with --public")
	return cmd
}

// makeKey writes both files. A crash between them leaves a private key without its public one, which --public prints.
func makeKey(w io.Writer, path string, now time.Time) error {
	public := publicPath(path)
	if _, err := os.Lstat(public); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return notWritten("public", public, err)
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	open := seal.PublicOf(key)
	about := fmt.Sprintf("name: %q\ndate: %s\nSHA-256 of the public key (SPKI): %s\n",
		strings.TrimSuffix(filepath.Base(public), publicSuffix), now.Format(time.RFC3339), open.Fingerprint())
	secret, err := seal.PrivatePEM(key, "A private key that signs journals of Houndtrail. A reader of this file can sign.\n"+about)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	if err := writeNew(path, secret, 0o600); err != nil {
		return notWritten("private", path, err)
	}
	if err := writeNew(public, open.PEM("A public key of journals of Houndtrail.\n"+about), 0o644); err != nil {
		return stream.Usagef("the private key %s is written, and its public key is not: %w; "+
			"print it with: houndtrail keygen --public %s", path, err, path)
	}
	fmt.Fprintf(w, "private key: %s\npublic key:  %s\nSHA-256 of the public key (SPKI):\n%s\n\n", path, public, open.Fingerprint())
	fmt.Fprintln(w, show.Wrap(nextSteps))
	return nil
}

const nextSteps = `Next:

1. Name the private key in HOUNDTRAIL_SIGNING_KEY_FILE. Keep it out of the bucket, and keep a copy in a safe place: if it is
lost, a person has to accept the next key.

2. Publish the public key outside of the bucket and of this host, such as in the repository of your team, and give it to your
auditor. A reader who takes the key from the bucket checks nothing: an attacker who can change the journal there can change the
key too.

3. Let the reader compare the SHA-256 with you.`

const publicSuffix = ".pub.pem"

// publicPath is the file of the public key beside a private one.
func publicPath(path string) string {
	return strings.TrimSuffix(strings.TrimSuffix(path, ".pem"), ".key") + publicSuffix
}

// writeNew writes a file that is not there yet. If it cannot be written whole, it is removed again.
func writeNew(path string, content []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func notWritten(kind, path string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return stream.Usagef("the %s key is not written: %s is there already, and a key is never overwritten; choose another path",
			kind, path)
	}
	return stream.Usagef("the %s key is not written: %w; choose a path in a folder that is there and can be written", kind, err)
}

// printPublic prints a text that is the file of the public key as well: PEM readers ignore the lines before the key.
func printPublic(w io.Writer, path, origin string) error {
	file, err := os.ReadFile(path)
	if err != nil {
		return stream.Usagef("--public: %w", err)
	}
	key, err := seal.ReadPublicKey(file)
	if err != nil {
		return stream.Usagef("--public %s: %w", path, err)
	}
	about := fmt.Sprintf("SHA-256 of the public key (SPKI): %s\n", key.Fingerprint())
	if origin != "" {
		vkey, err := key.VerifierKey(origin)
		if err != nil {
			return stream.Usagef("--origin: %w", err)
		}
		about += "verifier key: " + vkey + "\n"
	}
	_, err = w.Write(key.PEM(about))
	return err
}

// keysOptions are the flags of keys.
type keysOptions struct {
	accept         bool
	revoke, reason string
	from           uint64
	stream, output choice
}

func (p *program) keys() *cobra.Command {
	o := keysOptions{
		stream: choice{"all", []string{"all", stream.Archive, stream.Webhook}}, output: choice{"table", []string{"table", "json"}},
	}
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Show, revoke or accept the keys of a journal",
		Long: `Show the public keys that each journal names: which are active, retired or revoked, and from which entry on.

Keys need no command to be replaced. Add the new key to HOUNDTRAIL_SIGNING_KEY_FILE, behind the previous one: the next run writes
an entry that both sign. Then leave the previous key out: the next run retires it. What it has signed stays good.

--revoke FILE is for a key that was stolen: what it alone signed from entry --from on is worth nothing. This run has to sign with
another key that is active already.

--accept is for keys that are lost. HOUNDTRAIL_SIGNING_KEY_FILE then names the new key alone, which no earlier key vouches for. It
goes on from the same position, if the newest entry is as the lost keys signed it. No record is lost or doubled. Everyone who
verifies has to accept the key too: houndtrail verify --key OLD --accept-key NEW.

Stop houndtrail run before --revoke or --accept: the journal's lease is needed. The reason is kept in the journal.`,
		Example: `  houndtrail keys
  houndtrail keys --revoke old.pub.pem --from 1234 --reason "disk stolen"
  houndtrail keys --accept --reason "the machine with the key burnt"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch orders := o.accept || o.revoke != ""; {
			case o.accept && o.revoke != "":
				return stream.Usagef("--accept and --revoke are two orders: give one of them")
			case orders && strings.TrimSpace(o.reason) == "":
				return stream.Usagef("--reason is needed: say what happened to the key, for those who read the journal later")
			case !orders && o.reason != "", o.revoke == "" && o.from != 0:
				return stream.Usagef("--reason belongs to --accept or --revoke, and --from to --revoke")
			case orders:
				return p.orderKeys(cmd.Context(), &o)
			}
			return p.showKeys(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.accept, "accept", false, "sign with the configured key from now on, since all earlier ones are lost")
	f.StringVar(&o.revoke, "revoke", "", "a file with the public key that was stolen (PEM)")
	f.Uint64Var(&o.from, "from", 0, "the first entry that the thief may have signed; the next one if not given")
	f.StringVar(&o.reason, "reason", "", "what happened to the key; kept in the journal")
	f.Var(&o.stream, "stream", "whose journal, and that of its backfill")
	f.VarP(&o.output, "output", "o", "form of the answer")
	return cmd
}

// showKeys prints the keys of each journal.
func (p *program) showKeys(ctx context.Context, o *keysOptions) error {
	return p.eachKeys(o, config.NeedStream|config.NeedCheckpoint, func(set *stream.Set, name string) (*checkpoint.KeyList, error) {
		journal, err := set.Journal(ctx, name)
		if err != nil {
			return nil, err
		}
		newest, err := journal.Load(ctx)
		if err != nil {
			return nil, err
		}
		return journal.KeysOf(ctx, newest)
	}, nil)
}

// orderKeys carries out an order in each journal that it is about.
func (p *program) orderKeys(ctx context.Context, o *keysOptions) error {
	order := checkpoint.KeyOrder{From: o.from, Reason: o.reason}
	if o.revoke != "" {
		keys, err := readKeys("--revoke", []string{o.revoke})
		if err != nil {
			return stream.Usage(err)
		}
		order.Revoke = keys[0]
	}
	needs := config.NeedStream | config.NeedTenant | config.NeedCheckpoint | config.NeedCommit
	return p.eachKeys(o, needs, func(set *stream.Set, name string) (*checkpoint.KeyList, error) {
		order.At = set.Now()
		journal, err := set.CommitJournal(ctx, name)
		if err != nil {
			return nil, err
		}
		if concerned, err := concerns(ctx, journal, order, o.accept); err != nil || !concerned {
			return nil, err
		}
		changed, err := journal.ChangeKeys(ctx, order)
		return changed.Keys, err
	}, stream.Usagef("nothing was changed: no journal has this key as one that can be revoked, or needs another one to be accepted"))
}

// eachKeys prints the keys that do returns of each journal; none says that there are none at all.
func (p *program) eachKeys(
	o *keysOptions, need config.Need, do func(set *stream.Set, name string) (*checkpoint.KeyList, error), none error,
) error {
	c, err := p.load(need)
	if err != nil {
		return err
	}
	set := stream.NewSet(c, p.asked().process(p.logger(c.Log)))
	names, err := set.Chosen(o.stream.value)
	if err != nil {
		return err
	}
	var errs []error
	table := show.NewKeys(p.stdout, o.output.value)
	for _, name := range withBackfills(names) {
		list, err := do(set, name)
		if err == nil {
			err = table.Add(name, list)
		}
		if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
			errs = append(errs, &stream.Error{Stream: name, Err: stream.At(exporter.StageCheckpoint, err)})
		}
	}
	if len(errs) == 0 && table.Empty() && none != nil {
		return none
	}
	return errors.Join(append(errs, table.End())...)
}

// concerns tells whether an order is about a journal. A journal that is not there, has not got the stolen key, or goes on with the
// configured key anyway, is left as it is.
func concerns(ctx context.Context, journal *checkpoint.Journal, order checkpoint.KeyOrder, accept bool) (bool, error) {
	newest, err := journal.Load(ctx)
	switch {
	case errors.Is(err, checkpoint.ErrNotFound):
		return false, nil
	case accept && errors.Is(err, checkpoint.ErrSignature):
		return true, nil
	case err != nil || accept:
		return false, err
	}
	list, err := journal.KeysOf(ctx, newest)
	return err == nil && list != nil && list.Lists(order.Revoke), err
}
