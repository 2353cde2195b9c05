package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/google/uuid"
)

// Secret is a value that is never printed: given directly by its variable X, or in the file that X_FILE names.
// The zero value is a secret that is not set.
type Secret struct { //nolint:recvcheck // Load sets it in place; all other code takes it by value
	value, file string
}

// redacted is printed in place of a secret.
const redacted = "[redacted]"

// maxSecret is the largest secret file that Houndtrail reads, in bytes: enough for any token, and a limit if the path is wrong.
const maxSecret = 64 << 10

// marked tells whether a text begins with the byte order mark of UTF-8, or of UTF-16 in either order.
func marked(text string) bool {
	return strings.HasPrefix(text, "\uFEFF") || strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff")
}

// IsSet tells whether there is a secret, even if its file is not readable.
func (s Secret) IsSet() bool { return s.value != "" || s.file != "" }

// Value is the secret, or "" if none is set.
//
// Value reads a file anew each time, so that a rotated secret counts at once. Kubernetes rotates by moving a symbolic link. The
// cost of the read is small compared with the request that it is for. Value removes line ends at the end. An unreadable or
// empty file is an error, which names the file and never its content.
func (s Secret) Value() (string, error) {
	text, err := s.text()
	if err != nil {
		return "", err
	}
	if marked(text) {
		return "", fmt.Errorf("%s begins with a byte order mark, which an editor or PowerShell puts there; save it as plain ASCII, "+
			"or as UTF-8 without that mark", s.place())
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "", fmt.Errorf("%s has a line break or another control character inside; give the bare value", s.place())
	}
	return text, nil
}

func (s Secret) text() (string, error) {
	if s.file == "" {
		return s.value, nil
	}
	body, err := readSmall(s.file, maxSecret)
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(body), "\r\n")
	if text == "" {
		return "", fmt.Errorf("file %s is empty; write the secret into it", s.file)
	}
	return text, nil
}

func (s Secret) place() string {
	if s.file != "" {
		return "file " + s.file
	}
	return "the value"
}

func (s Secret) check() error {
	_, err := s.Value()
	return err
}

// setFile makes the secret come from a file. It refuses a relative path and does not show it: it may be the secret itself, put
// into the wrong variable.
func (s *Secret) setFile(path string) error {
	if !filepath.IsAbs(path) {
		return invalidf("not an absolute path (not shown, since it may be the secret itself); want one like /run/secrets/name")
	}
	s.file = path
	return nil
}

// UnmarshalText takes any text.
func (s *Secret) UnmarshalText(text []byte) error {
	s.value = string(text)
	return nil
}

// MarshalText tells only whether there is a secret. JSON and zap use it as well.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Format prints the same for every verb, %#v included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// String tells only whether there is a secret.
func (s Secret) String() string {
	if s.IsSet() {
		return redacted
	}
	return ""
}

// TokenID is the id of an API token. It is no secret, but users get it with one, and often keep both in the same place.
type TokenID struct {
	Secret
}

// check catches a key in the place of the id. Otherwise every request would send the key in plain text.
func (t TokenID) check() error {
	id, err := t.Value()
	if err != nil {
		return err
	}
	if uuid.Validate(id) != nil {
		return invalid("not a UUID, as token ids are (not shown, since it may be the key); are id and key swapped?")
	}
	return nil
}

// JWT is a bearer token.
type JWT struct {
	Secret
}

// check catches a whole Authorization header in the place of the token.
func (j JWT) check() error {
	token, err := j.Value()
	if err != nil {
		return err
	}
	if scheme, _, found := strings.Cut(token, " "); found && strings.EqualFold(scheme, "Bearer") {
		return invalidf("%s begins with %q; leave that out and give the token alone", j.place(), scheme)
	}
	return nil
}

// readSmall reads a regular file of at most limit bytes. It refuses other files, such as a pipe, which it could not read twice.
func readSmall(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("file %s has %d bytes, more than the %d expected at most; is it the right one?",
			path, info.Size(), limit)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the file: %w", err)
	}
	return body, nil
}
