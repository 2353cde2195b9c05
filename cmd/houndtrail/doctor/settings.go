package doctor

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
)

// A patient is the set-up under examination.
type patient struct {
	config   *config.Config   // without the wrong settings
	problems []config.Problem // the problems of the wrong settings
	err      error            // a defect: there is no configuration at all

	process  stream.Process
	sendTest bool
}

// attempts bounds how often admit drops wrong settings. Without one of them, another one may turn out to be wrong.
const attempts = 5

// patience is the time for which a client tries again if a server does not answer. It is short, because a user waits.
const patience = 2 * time.Second

// admit reads the configuration. If settings are wrong, the patient has all others, and the checks use these.
func admit(o Options) *patient {
	p := &patient{process: o.Process, sendTest: o.SendTest}
	p.process.Patience = cmp.Or(p.process.Patience, patience)
	if p.config, p.err = config.Load(o.Environ, config.NeedExport); p.err == nil {
		return p
	}
	environ := o.Environ
	for range attempts {
		wrong, ok := errors.AsType[*config.Error](p.err)
		if !ok {
			break
		}
		if p.problems == nil {
			p.problems = wrong.Problems
		}
		environ = without(environ, wrong.Problems)
		if p.config, p.err = config.Load(environ, config.NeedNothing); p.err == nil {
			return p
		}
	}
	p.config, p.err = config.Load(nil, config.NeedNothing)
	return p
}

// variable finds the settings in a text.
var variable = regexp.MustCompile(config.Prefix + `[A-Z0-9_]+`)

// without returns the environment without the wrong settings. If a missing setting is the problem, it drops the settings that need
// the missing one.
func without(environ []string, problems []config.Problem) []string {
	set := func(name string) bool {
		return slices.ContainsFunc(environ, func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
	}
	var drop []string
	for _, p := range problems {
		if set(p.Variable) {
			drop = append(drop, p.Variable)
			continue
		}
		drop = append(drop, variable.FindAllString(p.Reason, -1)...)
	}
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(drop, name) || slices.ContainsFunc(drop, func(d string) bool { return name == d+"_FILE" && !set(d) })
	})
}

// unusable returns the name of a wrong setting that begins with one of these words; "" if there is none. A check that uses these
// settings must not use a default in their place.
func (p *patient) unusable(words ...string) string {
	for _, problem := range p.problems {
		for _, word := range words {
			if strings.HasPrefix(problem.Variable, config.Prefix+word) {
				return problem.Variable
			}
		}
	}
	return ""
}

// unless returns a row if one of the settings is wrong.
func (p *patient) unless(words ...string) []Row {
	if name := p.unusable(words...); name != "" {
		return skipped("not looked at: " + name + " is not usable")
	}
	return nil
}

// set makes a new set of streams, because two checks must not use one set at the same time.
func (p *patient) set() *stream.Set { return stream.NewSet(p.config, p.process) }

func settingsChecks() []check[*patient] {
	return []check[*patient]{
		{
			name: "variables", about: "every variable is known and well formed, none is missing, and every file of a secret is readable",
			run: (*patient).variables,
		},
		{name: "wisdom", about: "no setting is probably a mistake", run: (*patient).wisdom},
	}
}

func (p *patient) variables(context.Context) (rows []Row) {
	if p.config == nil {
		return fail(p.err, "please report it: this is a defect of Houndtrail")
	}
	for _, problem := range p.problems {
		reason, advice, found := strings.Cut(problem.Reason, "; ")
		switch {
		case found:
		case strings.HasPrefix(reason, "not set"):
			advice = "set it"
		default:
			advice = "correct it"
		}
		rows = append(rows, wrong(problem.Variable+": "+reason, problem.Variable+": "+advice)...)
	}
	if len(rows) > 0 {
		return rows
	}
	return okf("all are known and well formed, and the files are readable")
}

func (p *patient) wisdom(context.Context) (rows []Row) {
	if len(p.problems) > 0 {
		return skipped("not looked at: not all settings are usable")
	}
	for _, text := range p.config.Warnings() {
		seen, advice, _ := strings.Cut(text, "; ")
		rows = append(rows, warn(seen, advice)...)
	}
	if len(rows) > 0 {
		return rows
	}
	return okf("no setting is probably a mistake")
}
