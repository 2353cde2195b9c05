package schema

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// mostText is how many bytes of a text an event has. ECS advises to index keywords up to that length.
const mostText = 1024

// fields has those values of the key fields for which the schemas have fields. A value is JSON. It is empty if the key is not
// there.
type fields struct {
	error, username, endpoint string

	principalName, emailAddress, secretUserID, userID string

	names [5]string // of the entity, the best one first
	uids  [5]string
}

// read reads the members of the key fields. A value that is no object has none.
func (f *fields) read(text string) {
	if !strings.HasPrefix(text, "{") {
		return
	}
	for walk := ndjson.Members(text); ; {
		key, value, err := walk.Next()
		if err != nil || value == "" {
			return
		}
		if place := f.place(key); place != nil {
			*place = value
		}
	}
}

// place is the place for the value of a member. It is nil if no schema needs the member.
func (f *fields) place(key string) *string {
	switch key {
	case "error":
		return &f.error
	case "username":
		return &f.username
	case "endpoint":
		return &f.endpoint
	case "principal_name":
		return &f.principalName
	case "email_address":
		return &f.emailAddress
	case "secret_user_id":
		return &f.secretUserID
	case "user_id":
		return &f.userID
	case "name":
		return &f.names[0]
	case "asset_group_name":
		return &f.names[1]
	case "saml_name":
		return &f.names[2]
	case "key":
		return &f.names[3]
	case "kind_name":
		return &f.names[4]
	case "id":
		return &f.uids[0]
	case "asset_group_id":
		return &f.uids[1]
	case "saml_id":
		return &f.uids[2]
	case "sso_provider_id":
		return &f.uids[3]
	case "selector_id":
		return &f.uids[4]
	default:
		return nil
	}
}

// text is a JSON value as a text, cut at mostText bytes. It is "" if the value is no string.
func text(value string) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	inner := value[1 : len(value)-1]
	if strings.IndexByte(inner[:min(len(inner), mostText)], '\\') < 0 {
		return cut(inner)
	}
	end := 0
	for end < len(inner) {
		size := 1
		switch {
		case strings.HasPrefix(inner[end:], `\u`):
			size = len(`\u0000`)
		case inner[end] == '\\':
			size = len(`\n`)
		}
		if end+size > mostText {
			break
		}
		end += size
	}
	for end < len(inner) && !utf8.RuneStart(inner[end]) {
		end--
	}
	var decoded string
	if json.Unmarshal([]byte(`"`+inner[:end]+`"`), &decoded) != nil {
		return ""
	}
	return cut(decoded)
}

// cut cuts a text between two characters.
func cut(text string) string {
	if len(text) <= mostText {
		return text
	}
	end := mostText
	for end > mostText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// These ids mean that there is no id: servers send them before a thing exists.
const (
	zeroUUID   = "00000000-0000-0000-0000-000000000000"
	zeroNumber = "0"
)

// identifier is a JSON value as the text of an id. It is "" if the value is neither a text nor a number, or if the id means that
// there is none.
func identifier(value string) string {
	if value != "" && (value[0] == '-' || value[0] >= '0' && value[0] <= '9') {
		if value == zeroNumber || len(value) > mostText {
			return ""
		}
		return value
	}
	return uid(text(value))
}

// uid is an id of a column, cut. It is "" if the id means that there is none.
func uid(text string) string {
	if text == zeroUUID {
		return ""
	}
	return cut(text)
}

// firstOf is the first value for which read returns a text.
func firstOf(values []string, read func(string) string) string {
	for _, v := range values {
		if t := read(v); t != "" {
			return t
		}
	}
	return ""
}
