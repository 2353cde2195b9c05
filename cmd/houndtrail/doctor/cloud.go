package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter"
)

// inspector returns the part of the store that tells how S3 keeps objects; nil if the store is no bucket of S3.
func (s *store) inspector() s3.Inspector {
	i, _ := s.b.(s3.Inspector)
	return i
}

// credentials looks whether the client sent the request at all. It sends none without credentials.
func (s *store) credentials(context.Context) []Row {
	none, ok := errors.AsType[interface {
		error
		NoCredentials() bool
	}](s.listed)
	switch {
	case !s.remote():
		return nil
	case ok && none.NoCredentials():
		seen, advice := told(s.listed)
		return failAs(at(exporter.StageSink, s.listed), seen,
			cmp.Or(advice, "give the pod or machine a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"))
	}
	return okf("there are some")
}

func (s *store) proxy(context.Context) []Row {
	if !s.remote() {
		return nil
	}
	return s.way.proxyRow()
}

func (s *store) address(context.Context) []Row {
	if !s.remote() {
		return nil
	}
	return s.way.addressRow()
}

func (s *store) certificate(context.Context) []Row {
	if !s.remote() {
		return nil
	}
	return s.way.certificateRow(s.set().Now())
}

// hidden returns the row if a question about the bucket has no answer; nil if it has one. A writer does not need the right to ask,
// so a refusal is no failure.
func hidden(err error) []Row {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errors.ErrUnsupported):
		return skipped("not looked at: the store does not know this request")
	case errors.Is(err, fs.ErrPermission):
		_, advice := told(err)
		return []Row{{State: Skipped, Seen: "not looked at: the role may not see it, and a writer need not", Advice: "to see it, " + advice}}
	}
	seen, advice := told(err)
	return warn(seen, advice)
}

func (s *store) identity(ctx context.Context) []Row {
	i := s.inspector()
	if i == nil {
		return nil
	}
	arn, err := i.Identity(ctx)
	if errors.Is(err, errors.ErrUnsupported) { // not AWS
		return nil
	}
	if rows := hidden(err); rows != nil {
		return rows
	}
	if strings.HasSuffix(arn, ":root") {
		return warn("the credentials are those of "+arn, "least privilege: use a role with the rights of deploy/aws/writer-policy.json")
	}
	return okf("the credentials are those of %s", arn)
}

func (s *store) region(ctx context.Context) []Row {
	i := s.inspector()
	if i == nil || s.config.S3.Endpoint != "" {
		return nil
	}
	region, err := i.Region(ctx)
	if rows := hidden(err); rows != nil {
		return rows
	}
	if set := s.config.S3.Region; set != "" && region != "" && set != region {
		return warn(fmt.Sprintf("the bucket is in %s, and %s is %s", region, setting.S3Region, set), "set "+setting.S3Region+"="+region)
	}
	return okf("%s", region)
}

func (s *store) encryption(ctx context.Context) []Row {
	i := s.inspector()
	if i == nil {
		return nil
	}
	how, err := i.Encryption(ctx, s.key)
	if err != nil {
		return s.failed(err, "check that this role may read at "+s.setting)
	}
	wanted := string(s.config.S3.SSE)
	switch {
	case wanted != "" && s.group != anchorStore && !strings.HasPrefix(how, wanted):
		return warn(fmt.Sprintf("the probe was written with %s=%s, and the store says that it is encrypted by %q", setting.S3SSE, wanted, how),
			"find out whether the store encrypts objects; without that, "+setting.S3SSE+" has no effect")
	case how == "":
		return okf("the store tells none, and none is asked for (%s)", setting.S3SSE)
	}
	return okf("%s", how)
}

func (s *store) versions(ctx context.Context) []Row {
	i := s.inspector()
	if i == nil {
		return nil
	}
	kept, err := i.Versioning(ctx)
	if rows := hidden(err); rows != nil {
		return rows
	}
	if !kept {
		return warn("the bucket keeps no earlier versions: an object that a person deletes or writes over is lost",
			"turn on versioning of the bucket of "+s.setting)
	}
	return okf("the bucket keeps earlier versions")
}

func (s *store) lock(ctx context.Context) []Row {
	i := s.inspector()
	if i == nil {
		return nil
	}
	l, err := i.ObjectLock(ctx)
	if rows := hidden(err); rows != nil {
		return rows
	}
	mode, days := string(s.config.S3.ObjectLockMode), s.config.S3.ObjectLockDays
	asks := mode != "" && s.group != anchorStore
	switch {
	case asks && !l.Enabled:
		return wrong(fmt.Sprintf("%s=%s, and the bucket has no Object Lock, so that it refuses each object", setting.S3ObjectLockMode, mode),
			"enable Object Lock for the bucket, or unset "+setting.S3ObjectLockMode+" and "+setting.S3ObjectLockDays)
	case l.Mode != "" && s.group == journalStore:
		return warn(fmt.Sprintf("the bucket's default retention is %s for %s: it also keeps each version of the working state of a journal, "+
			"such as the lease, of which there are several a minute", l.Mode, several(l.Days, "day")),
			"remove the default retention and set "+setting.S3ObjectLockMode+" and "+setting.S3ObjectLockDays+", which leave working state "+
				"out; or name another bucket in "+setting.CheckpointURL)
	case asks:
		return okf("Object Lock is on, and Houndtrail keeps each object for %s (%s)", several(days, "day"), mode)
	case l.Mode != "":
		return okf("Object Lock is on, with a default retention of %s (%s)", several(l.Days, "day"), l.Mode)
	case l.Enabled:
		return okf("Object Lock is on, and neither the bucket nor Houndtrail sets a retention (%s)", setting.S3ObjectLockMode)
	}
	return okf("the bucket has no Object Lock, and none is asked for")
}
