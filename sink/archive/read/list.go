package read

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// Objects lists a tenant's objects by day, and the objects of a day by window. It also returns other keys in the same folder as
// unknown: no archive writes them. A reader of the whole folder, such as Athena, may take them for part of the archive.
func Objects(ctx context.Context, b bucket.Reader, tenant string) (objects []Object, unknown []string, err error) {
	keys, err := list(ctx, b, tenant)
	if err != nil {
		return nil, nil, err
	}
	for _, key := range keys {
		if o, ok := Parse(key); ok {
			objects = append(objects, o)
		} else if !Rewritten(key) {
			unknown = append(unknown, key)
		}
	}
	return objects, unknown, nil
}

// An Extent is the first and the last day with records of a tenant.
type Extent struct {
	Tenant      string
	First, Last time.Time
}

// Extents returns the extents of these tenants, by name. If the caller names no tenant, it returns those of every tenant with
// an object. A tenant without an object has none.
func Extents(ctx context.Context, b bucket.Reader, tenants ...string) (extents []Extent, err error) {
	prefixes := []string{Root + "/tenant="}
	if len(tenants) > 0 {
		prefixes = nil
	}
	for _, tenant := range tenants {
		if err := CheckTenant(tenant); err != nil {
			return nil, err
		}
		prefixes = append(prefixes, Prefix(tenant))
	}
	found := map[string]Extent{}
	for _, prefix := range prefixes {
		keys, err := b.List(ctx, prefix, "")
		if err != nil {
			return nil, fmt.Errorf("look for the tenants and the days of the archive: %w", err)
		}
		for _, key := range keys {
			o, ok := Parse(key)
			if !ok {
				continue
			}
			e, seen := found[o.Tenant]
			if !seen || o.Day.Before(e.First) {
				e.First = o.Day
			}
			if !seen || o.Day.After(e.Last) {
				e.Last = o.Day
			}
			e.Tenant = o.Tenant
			found[o.Tenant] = e
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b Extent) int { return strings.Compare(a.Tenant, b.Tenant) }), nil
}

func list(ctx context.Context, b bucket.Reader, tenant string) ([]string, error) {
	if err := CheckTenant(tenant); err != nil {
		return nil, err
	}
	keys, err := b.List(ctx, Prefix(tenant), "")
	if err != nil {
		return nil, fmt.Errorf("look for the objects of tenant %s: %w", tenant, err)
	}
	return keys, nil
}
