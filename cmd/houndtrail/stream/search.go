package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/archive/search"
)

// mostNamed is how many of an answer's problems the error names.
const mostNamed = 10

// Search searches the archive of the configuration's tenant. If the configuration has no tenant, the archive must have only
// one. If records may be missing, Search returns an error, and the answer has the problems.
func (s *Set) Search(ctx context.Context, o search.Options) (search.Answer, error) {
	files, err := s.Files(ctx)
	if err != nil {
		return search.Answer{}, err
	}
	o.Files, o.Tenant = files, s.Tenant()
	if o.Tenant == "" {
		if o.Tenant, err = s.onlyTenant(ctx, files); err != nil {
			return search.Answer{}, err
		}
	}
	answer, err := search.Run(ctx, o)
	switch {
	case err != nil:
		err = At(exporter.StageSink, notWhole(err))
	case answer.Files == 0 && answer.Problems == nil:
		_, err = s.onlyTenant(ctx, files, o.Tenant)
	}
	return answer, errors.Join(problems(answer.Problems), err)
}

func notWhole(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("the search ended early, and the answer lacks records: %w", err)
}

// problems returns one error about all of them, or nil.
func problems(all []error) error {
	if len(all) == 0 {
		return nil
	}
	named := slices.Clone(all[:min(len(all), mostNamed)])
	if more := len(all) - len(named); more > 0 {
		named = append(named, fmt.Errorf("and %d more such files", more))
	}
	return errors.Join(append(named, fmt.Errorf("%w: records may be missing because of what is said above", search.ErrNotWhole))...)
}

// onlyTenant returns the only tenant of the archive. If the caller wants a certain tenant, it returns that one if the archive
// has it.
func (s *Set) onlyTenant(ctx context.Context, files bucket.Reader, wanted ...string) (string, error) {
	extents, err := read.Extents(ctx, files)
	if err != nil {
		return "", At(exporter.StageSink, err)
	}
	names := make([]string, len(extents))
	for i, e := range extents {
		names[i] = e.Tenant
	}
	switch {
	case len(names) == 0:
		return "", Usagef("%s has no file of an archive: check %sARCHIVE_URL, which is the folder that has the folder %s", files, config.Prefix,
			read.Root)
	case len(wanted) == 1 && slices.Contains(names, wanted[0]):
		return wanted[0], nil
	case len(wanted) == 1:
		return "", Usagef("%s has no file of tenant %s, but of %s: set %sTENANT", files, wanted[0], strings.Join(names, ", "), config.Prefix)
	case len(names) > 1:
		return "", Usagef("%s has the tenants %s: set %sTENANT to one of them", files, strings.Join(names, ", "), config.Prefix)
	}
	return names[0], nil
}
