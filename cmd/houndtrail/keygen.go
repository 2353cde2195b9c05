package main

import (
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

	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
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
