package format

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/sink/webhook/schema"
)

// NDJSON is the name of the format for any receiver that has no other format here.
const NDJSON = "ndjson"

// A kind is one kind of receiver.
type kind struct {
	name string // of its format, as users write it
	make func(Options) Format
}

// kinds has all kinds of receivers. Another kind is another line here.
//
//nolint:gochecknoglobals // a constant
var kinds = []kind{
	{NDJSON, newNDJSON},
	{ElasticBulk, newBulk},
	{Loki, newLoki},
	{Datadog, newDatadog},
	{SplunkHEC, newHEC},
	{Sentinel, newSentinel},
}

// Names returns the names of the formats.
func Names() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

// New makes the format of that name.
func New(name string, o Options) (Format, error) {
	o.Schema = cmp.Or(o.Schema, schema.Native)
	var err error
	if o.events, err = schema.New(o.Schema, schema.Options{Tenant: o.Tenant, TrustedProxies: o.TrustedProxies}); err != nil {
		return nil, err
	}
	if name == Sentinel && o.Schema != schema.Native {
		return nil, fmt.Errorf("the format %s fills the columns of a table, which are those of the record: set %s to %s, or use another "+
			"format", Sentinel, setting.WebhookSchema, schema.Native)
	}
	for _, k := range kinds {
		if k.name == name {
			return k.make(o), nil
		}
	}
	return nil, fmt.Errorf("there is no format %q: use %s", name, strings.Join(Names(), " or "))
}
