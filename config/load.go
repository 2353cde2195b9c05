package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/sethvargo/go-envconfig"
)

// Need is the set of settings that a command needs. For every command, each setting that is there must be well formed. A needed
// setting must be there, and its files must be readable.
type Need uint8

// The needs. A command gives the sum of its needs.
const (
	NeedSource     Need = 1 << iota // BLOODHOUND_URL
	NeedLogin                       // one way to log in
	NeedTenant                      // TENANT, or BLOODHOUND_URL to derive it from
	NeedArchive                     // ARCHIVE_URL
	NeedStream                      // ARCHIVE_URL or WEBHOOK_URL
	NeedCheckpoint                  // CHECKPOINT_URL, or ARCHIVE_URL to derive it from
	NeedDelivery                    // the files of the webhook's secrets: looking at a stream needs none of them
	NeedCommit                      // the file of the signing key: reading a journal needs none

	NeedNothing Need = 0
	// NeedBloodHound is the need of a command that asks the API.
	NeedBloodHound = NeedSource | NeedLogin
	// NeedLook is the need of a command that asks a stream's journal, destination and source.
	NeedLook = NeedBloodHound | NeedStream | NeedCheckpoint
	// NeedExport is the need of a command that moves records.
	NeedExport = NeedLook | NeedDelivery | NeedCommit
)

func (n Need) has(part Need) bool { return n&part != 0 }

// Load reads the configuration from an environment in the form of os.Environ. Of the variables without our prefix, it looks
// only at the variables of the proxies. If the configuration is wrong, the error is an [*Error] with every problem.
func Load(environ []string, need Need) (*Config, error) {
	env := ours(environ)
	c, failed, err := decode(env)
	if err != nil {
		return nil, err
	}
	l := &loader{env: env, config: c, fields: fields(c), need: need, proxy: proxies(environ)}
	for _, f := range l.fields {
		l.take(f, failed[f.name])
	}
	l.derive()
	l.rules()
	l.unknown()
	if len(l.problems) > 0 {
		return nil, &Error{Problems: l.sorted()}
	}
	c.warnings = l.warnings()
	return c, nil
}

// Warnings are settings that work but are probably a mistake, or not wise; a line each.
func (c *Config) Warnings() []string { return c.warnings }

// loader gathers the problems of one Load.
type loader struct {
	env      map[string]string // without Prefix
	config   *Config
	fields   []field
	need     Need
	proxy    []proxy
	problems []Problem
}

// serviceLink matches the variables that Kubernetes puts into each container for a Service that happens to be called
// houndtrail, or houndtrail-something. They are no settings.
var serviceLink = regexp.MustCompile(`^HOUNDTRAIL_(\w+_)?` +
	`(SERVICE_HOST=|SERVICE_PORT(_\w+)?=\d+$|PORT(_\d+_[A-Z]+)?=[a-z]+://|PORT_\d+_[A-Z]+_(PROTO|PORT|ADDR)=)`)

// ours are the variables with our prefix, without it. If a variable is there twice, the first one counts, as for os.Getenv.
func ours(environ []string) map[string]string {
	env := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		name, found := strings.CutPrefix(name, Prefix)
		if _, twice := env[name]; found && !twice && !serviceLink.MatchString(entry) {
			env[name] = value
		}
	}
	return env
}

// decode fills a tree. The library stops at its first error. decode then treats the variable that the library looked up last as
// not set, and tries the rest again. It returns each such variable with its error. Its own error is a mistake in the tags.
func decode(env map[string]string) (*Config, map[string]error, error) {
	failed := map[string]error{}
	for {
		var last string
		lookup := envconfig.LookuperFunc(func(name string) (string, bool) {
			last = name
			if failed[name] != nil {
				return "", false
			}
			value := env[name]
			return value, value != ""
		})
		c := new(Config)
		err := envconfig.ProcessWith(context.Background(), &envconfig.Config{Target: c, Lookuper: lookup})
		if err == nil {
			return c, failed, nil
		}
		if env[last] == "" || failed[last] != nil {
			return nil, nil, fmt.Errorf("config: tags of %s: %w", last, err)
		}
		failed[last] = err
	}
}

// take checks the value of one field by itself.
func (l *loader) take(f field, err error) {
	for _, name := range f.names() {
		if value, set := l.env[name]; set && value == "" {
			l.report(name, "set but empty; give it a value, or unset it%s", f.otherwise())
		}
	}
	for _, name := range f.names() {
		if quoted(l.env[name]) {
			l.report(name, "in quotes, which are part of the value here, as no shell takes them away; leave them out%s", f.instead())
			return
		}
	}
	if raw := l.env[f.name]; raw != "" {
		if bad, ok := errors.AsType[invalid](err); ok {
			l.report(f.name, "%s", bad)
		} else if err != nil || !f.allows(raw) {
			l.report(f.name, "got %s; want %s", quote(raw), f.want())
		}
	}
	secret, ok := f.asFileable()
	path := l.env[f.name+fileSuffix]
	if !ok || path == "" {
		return
	}
	if _, both := l.env[f.name]; both {
		l.report(f.name+fileSuffix, "set beside %s%s; keep one of the two", Prefix, f.name)
	}
	if err := secret.setFile(path); err != nil {
		l.report(f.name+fileSuffix, "%s", err)
	}
}

// quoted tells whether a value begins and ends with the same quotation mark.
func quoted(value string) bool {
	first, last := value[:min(1, len(value))], value[max(0, len(value)-1):]
	return len(value) > 1 && first == last && strings.ContainsAny(first, `"'`)
}

// instead says which setting may have a value with quotes.
func (f field) instead() string {
	if _, ok := f.asFileable(); ok {
		return ", or put a secret that has them into a file"
	}
	return ""
}

// otherwise names the default of an unset variable.
func (f field) otherwise() string {
	if f.fallback == "" {
		return ""
	}
	return " for the default, " + f.fallback
}

// unknown reports the variables that set nothing.
func (l *loader) unknown() {
	var known []string
	for _, f := range l.fields {
		known = append(known, f.names()...)
	}
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		if slices.Contains(known, name) {
			continue
		}
		if guess := nearest(name, known); guess != "" {
			l.report(name, "unknown variable; did you mean %s%s?", Prefix, guess)
		} else {
			l.report(name, "unknown variable; unset it, or look up its name in docs/configuration.md")
		}
	}
}

// given tells whether one of the variables is there, with any value, directly or by its file.
func (l *loader) given(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		_, direct := l.env[name]
		_, file := l.env[name+fileSuffix]
		return direct || file
	})
}

// filled tells whether one of the variables has a value, directly or by its file. If a variable is given but empty, take has
// reported that.
func (l *loader) filled(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return l.env[name] != "" || l.env[name+fileSuffix] != "" })
}

func (l *loader) report(name, format string, args ...any) {
	l.problems = append(l.problems, Problem{
		Variable: oneLine(Prefix + name),
		Reason:   oneLine(fmt.Sprintf(format, args...)),
	})
}

// oneLine replaces control characters by spaces: names and paths from the environment can have them.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// sorted are the problems in the order of the tree. Unknown variables are not in the tree and come last.
func (l *loader) sorted() []Problem {
	place := map[string]int{}
	for i, f := range l.fields {
		for _, name := range f.names() {
			place[Prefix+name] = i - len(l.fields)
		}
	}
	slices.SortStableFunc(l.problems, func(a, b Problem) int { return cmp.Compare(place[a.Variable], place[b.Variable]) })
	return l.problems
}
