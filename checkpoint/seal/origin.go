package seal

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// An origin is the name of one journal, <tenant>/houndtrail/<stream>/<journal id>. It is the first line of each head and the name
// of the journal's keys. So a signature for one journal is valid only for that journal.
var (
	originPattern  = regexp.MustCompile(`^((?:[A-Za-z0-9._:-]|%[0-9A-F]{2})+)/houndtrail/([a-z0-9-]+)/([0-9a-f]{16})$`)
	journalPattern = regexp.MustCompile(`^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$`)
)

// NewOrigin names the journal of a tenant's stream. id is the UUID that was drawn with the entry that begins the origin: the
// journal's first entry, or an adoption. A reset and a move keep the origin. A second journal beside the same archive draws
// another UUID, so it never has heads of the same name.
func NewOrigin(tenant, stream, id string) (string, error) {
	if !journalPattern.MatchString(id) {
		return "", fmt.Errorf("the journal id %q is no UUID", id)
	}
	origin := escape(tenant) + "/houndtrail/" + stream + "/" + strings.ReplaceAll(id, "-", "")[:16]
	return origin, CheckOrigin(origin)
}

// CheckOrigin refuses a text that NewOrigin cannot have made.
func CheckOrigin(origin string) error {
	parts := originPattern.FindStringSubmatch(origin)
	if parts != nil {
		if tenant, err := url.PathUnescape(parts[1]); err == nil && escape(tenant) == parts[1] {
			return nil
		}
	}
	return fmt.Errorf("%.200q is no origin: want <tenant>/houndtrail/<stream>/<16 hex digits>", origin)
}

// escape writes a tenant's name in letters that a key's name may have. A plus or a space would break a verifier key.
func escape(tenant string) string {
	var b strings.Builder
	for _, c := range []byte(tenant) {
		if isPlain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func isPlain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(".-_:", c) >= 0
}
