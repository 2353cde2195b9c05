package doctor

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// create writes the probe. If an earlier one is still there, because its writer could not remove it, the checks use that one.
func (s *store) create(ctx context.Context) (rows []Row) {
	if s.group == archiveStore && s.config.Tenant == "" {
		return skipped("not looked at: there is no " + setting.Tenant + " to put the probe below")
	}
	var err error
	s.body = probe()
	s.version, err = s.b.Put(ctx, s.key, s.body, "")
	if errors.Is(err, fs.ErrExist) {
		if _, gone := s.b.Stat(ctx, s.key); errors.Is(gone, fs.ErrNotExist) {
			// An earlier probe has left a delete marker, and some stores create no object on top of one. In an archive, a run that begins
			// would take the probe under another name for the file of a record.
			if s.group == archiveStore {
				return skipped("the store creates no object on top of the delete marker of an earlier probe, " + s.key)
			}
			s.key += "." + rand.Text()
			s.version, err = s.b.Put(ctx, s.key, s.body, "")
		}
	}
	if errors.Is(err, fs.ErrExist) {
		s.body = nil
		return okf("allowed; the probe %s of an earlier time is still there", s.key)
	}
	if err != nil {
		return s.failed(err, "check "+s.setting+", and that this user or role may write there")
	}
	return okf("allowed: the probe is %s", s.key)
}

// probe returns a body that no earlier probe had.
func probe() []byte {
	return fmt.Appendf(nil, `{"about":"houndtrail doctor tries here what the store does","token":%q}`+"\n", rand.Text())
}

func (s *store) read(ctx context.Context) []Row {
	body, version, _, err := s.b.Get(ctx, s.key)
	switch {
	case err == nil && s.body == nil:
		s.body, s.version = body, version
		return okf("allowed")
	case err != nil:
		return s.failed(err, "check that this user or role may read at "+s.setting)
	case string(body) != string(s.body):
		return s.failed(errOther, "find out what changes objects on the way to or from "+s.setting)
	}
	return okf("the probe is as it was written")
}

var (
	errOther         = errors.New("the probe that was read is not the one that was written")
	errUnconditional = errors.New("the store does not obey conditional writes")
)

// conditions tries the two writes that a store must refuse. Otherwise two runners could commit the same records. Anchors are only
// created, and never replaced.
func (s *store) conditions(ctx context.Context) []Row {
	const advice = "use another store, or a setting of the gateway that makes it obey If-None-Match and If-Match; a journal is not safe in "
	broken := func(tried string) []Row {
		return failAs(at(exporter.StageSink, errUnconditional), "the store ignores conditional writes: "+tried+" should have been refused",
			advice+s.setting)
	}
	switch _, err := s.b.Put(ctx, s.key, probe(), ""); {
	case err == nil:
		return broken("creating the probe a second time (If-None-Match)")
	case !errors.Is(err, fs.ErrExist):
		return s.failed(err, "check that this user or role may write at "+s.setting)
	}
	if s.group == anchorStore {
		return okf("an object cannot be created twice")
	}
	gone := s.version
	body := probe()
	version, err := s.b.Put(ctx, s.key, body, gone)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return skipped("another process changed the probe at the same time: run houndtrail doctor again")
	}
	if err != nil {
		return s.failed(err, "allow this user or role to replace objects at "+s.setting)
	}
	s.body, s.version = body, version
	switch _, err = s.b.Put(ctx, s.key, probe(), gone); {
	case err == nil:
		return broken("replacing a version that was gone (If-Match)")
	case errors.Is(err, fs.ErrExist):
		return okf("an object cannot be created twice, and a version that is gone cannot be replaced")
	}
	return s.failed(err, "check that this user or role may write at "+s.setting)
}

func (s *store) checksum(ctx context.Context) []Row {
	if !s.remote() {
		return nil
	}
	info, err := s.b.Stat(ctx, s.key)
	if err != nil {
		return s.failed(err, "check that this user or role may read at "+s.setting)
	}
	sum := sha256.Sum256(s.body)
	switch info.SHA256 {
	case hex.EncodeToString(sum[:]):
		return okf("the store keeps the SHA-256 of an object, and it is right")
	case "":
		return warn("the store tells no SHA-256, so that a verification has to read whole objects", "nothing, unless another store is to be had")
	}
	return s.failed(errOther, "find out what changes objects on the way to "+s.setting)
}

// removeTime bounds the removal of the probe, even after an interruption.
const removeTime = 10 * time.Second

// remove removes the probe. This shows whether the writer may delete objects. Without a reason, it should not.
func (s *store) remove(ctx context.Context) []Row {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	info, _ := s.b.Stat(ctx, s.key)
	err := s.b.Delete(ctx, s.key)
	compacts := s.group == archiveStore && s.config.CompactSchedule.Spec != ""
	left := "; the probe " + s.key + " stays, with " + strconv.Itoa(len(s.body)) + " bytes"
	switch {
	case err == nil && !s.remote():
		return okf("the probe is removed")
	case err == nil:
		seen := "allowed; the probe is removed"
		if info.Version {
			seen = "allowed; the probe is hidden by a delete marker, and its versions stay"
		}
		if compacts {
			return okf("%s; compaction needs the right", seen)
		}
		return warn(seen, "least privilege: take s3:DeleteObject from the writer (deploy/aws/writer-policy.json); a run at "+
			s.setting+" never deletes")
	case errors.Is(err, fs.ErrPermission) && s.remote() && !compacts:
		return okf("not allowed, as it should be%s", left)
	case errors.Is(err, fs.ErrPermission) && s.remote():
		seen, _ := told(err)
		return failAs(at(exporter.StageSink, err), seen+left, config.Prefix+"COMPACT_SCHEDULE needs s3:DeleteObject below "+
			string(s.at.Join(read.Root))+" (deploy/aws/compactor-policy.json): give it, or unset the variable")
	}
	seen, _ := told(err)
	return failAs(at(exporter.StageSink, err), seen+left, "check "+s.setting)
}

// leastSpace is the free space below which a run may soon fail. Below lowSpace, a person should act.
const (
	leastSpace int64 = 64 << 20
	lowSpace   int64 = 1 << 30
)

var errFull = errors.New("the disk is almost full")

func (s *store) disk(context.Context) []Row {
	dir, ok := s.at.Dir()
	if !ok {
		return nil
	}
	if missing := firstMissing(dir); missing != "" {
		dir = filepath.Dir(missing)
	}
	free, known := freeSpace(dir)
	seen := mebibytes(free) + " are free"
	switch {
	case !known:
		return skipped("not looked at: this system does not tell")
	case free < leastSpace:
		return failAs(at(exporter.StageSink, errFull), seen, "make room on the disk of "+s.setting+", or name a place on another one")
	case free < lowSpace:
		return warn(seen, "make room on the disk of "+s.setting+" ("+config.Prefix+"COMPACT_SCHEDULE makes few files of many)")
	}
	return okf("%s", seen)
}

// firstMissing returns the first missing folder on the way to dir; "" if dir is there.
func firstMissing(dir string) (missing string) {
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); err == nil {
			break
		}
		missing = dir
	}
	return missing
}

// lockName is the file with which a directory's store replaces an object. Any process may remove it at any time.
const lockName = ".replace"

// folder returns the folder of the probe; "" if the store is no directory.
func (s *store) folder() string {
	dir, ok := s.at.Dir()
	if !ok {
		return ""
	}
	return filepath.Dir(filepath.Join(dir, filepath.FromSlash(s.key)))
}

// tidy removes the folders that were made for the probe. A folder that is not empty stays.
func (s *store) tidy() {
	if s.made == "" {
		return
	}
	folder := s.folder()
	_ = os.Remove(filepath.Join(folder, lockName))
	for os.Remove(folder) == nil && folder != s.made {
		folder = filepath.Dir(folder)
	}
}
