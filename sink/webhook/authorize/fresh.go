package authorize

import (
	"reflect"
	"sync"
	"time"

	"go.uber.org/zap"
)

// lookEvery is the least time between two looks at a file.
const lookEvery = 2 * time.Second

// A Fresh is a value that Houndtrail reads again while it uses it. It is safe for concurrent use.
type Fresh[T any] struct {
	name string // of the setting
	read func() (T, error)
	log  *zap.Logger

	mu        sync.Mutex
	known     bool
	value     T
	earlier   *T // the previous value; requests that are under way may still have it
	candidate *T // another value, which one look has found
	looked    time.Time
	complaint error // why the newest content cannot be used
}

// NewFresh returns a value that read gives. read must also check the value. name is the name of the setting, for the log.
func NewFresh[T any](name string, read func() (T, error), log *zap.Logger) *Fresh[T] {
	return &Fresh[T]{name: name, read: read, log: log}
}

// Value returns the value in use. It fails only if read has not yet given any valid value.
func (f *Fresh[T]) Value() (T, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.known:
		value, err := f.read()
		if err != nil {
			return value, err
		}
		f.known, f.value, f.looked = true, value, time.Now()
	case time.Since(f.looked) >= lookEvery:
		f.look(false)
	}
	return f.value, nil
}

// All returns the value in use, and the previous one, if there are any.
func (f *Fresh[T]) All() (values []T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known {
		values = append(values, f.value)
	}
	if f.earlier != nil {
		values = append(values, *f.earlier)
	}
	return values
}

// Again reads the value at once, and tells whether it has changed. The receiver has refused the value in use, so Again takes any
// other one without a second look.
func (f *Fresh[T]) Again() (changed bool, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.value
	f.look(true)
	if f.complaint != nil {
		why = f.name + " has changed and cannot be used, so Houndtrail still uses its earlier content: " + f.complaint.Error()
	}
	return !reflect.DeepEqual(before, f.value), why
}

// look reads the value. If the content cannot be used, the value stays.
func (f *Fresh[T]) look(atOnce bool) {
	f.looked = time.Now()
	value, err := f.read()
	switch {
	case err != nil:
		if f.complaint == nil || f.complaint.Error() != err.Error() {
			f.log.Warn("a setting has changed and cannot be used: its earlier content stays in use",
				zap.String("setting", f.name), zap.Error(err))
		}
		f.candidate, f.complaint = nil, err
	case reflect.DeepEqual(value, f.value):
		f.candidate, f.complaint = nil, nil
	case atOnce || f.candidate != nil && reflect.DeepEqual(value, *f.candidate):
		earlier := f.value
		f.value, f.earlier, f.candidate, f.complaint = value, &earlier, nil, nil
		f.log.Info("a setting has changed: its new content is in use", zap.String("setting", f.name))
	default:
		f.candidate, f.complaint = &value, nil
	}
}
