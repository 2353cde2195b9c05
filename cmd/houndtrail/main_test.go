package main

import (
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the scripts run houndtrail as a separate process, and the helpers that take something away from it.
func TestMain(m *testing.M) {
	commands := map[string]func(){"houndtrail": impatient}
	maps.Copy(commands, helpers)
	testscript.Main(m, commands)
}

// impatient is main with two differences: it does not spend minutes on a server that is down, and a script moves its clock
// together with the server's.
func impatient() {
	p := newProgram()
	p.patience, p.now = time.Second, movedClock
	os.Exit(p.main(untilSignal(), os.Args[1:]))
}

// clockVariable names the file that says how far our own clock is ahead of the true time.
const clockVariable = "SCRIPT_CLOCK"

func movedClock() time.Time {
	text, err := os.ReadFile(os.Getenv(clockVariable))
	if err != nil {
		return time.Now()
	}
	ahead, err := time.ParseDuration(string(text))
	if err != nil {
		panic(err)
	}
	return time.Now().Add(ahead)
}

// godebug is Go's variable of that name, for the programs that the scripts run: .ci/fips allows approved algorithms alone. The
// servers, which are in this process, do not get it.
var godebug = flag.String("godebug", "", "value of GODEBUG in the scripts")

// TestScripts runs testdata/*.txtar, which check the commands' output, exit codes and files. Each script has one subject, and
// runs commands as a user would type them, against the test double of BloodHound.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup:               setup,
		Condition:           condition,
		Cmds:                scriptCommands(),
	})
}

// scriptCommands are the commands of a script besides those of testscript itself.
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"bloodhound": bloodhoundCommand,
		"website":    website,
		"letter":     letter,
		"webhook":    webhookCommand,
		"s3":         s3Command,
		"exits":      exits,
		"complains":  complains,
		"begin":      begin,
		"send":       send,
		"end":        end,
		"appears":    appears,
		"get":        get,
		"crowd":      crowd,
		"archived":   archived,
		"remember":   remember,
		"unchanged":  unchanged,
		"damage":     damage,
		"newer":      newer,
		"signingkey": signingKey,
		"walk":       walk,
		"forge":      forge,
		"rollback":   rollback,
	}
}

// setup is the configuration at the start of each script: an archive and its positions below $WORK.
func setup(env *testscript.Env) error {
	tb, ok := env.T().(testing.TB)
	if !ok {
		return errors.New("the script does not run as a test")
	}
	w := &world{tb: tb, golden: map[string][]byte{}, running: map[string]*process{}, digests: map[string]map[string]string{}}
	env.Values[worldKey{}] = w
	script := filepath.Join("testdata", strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")+".txtar")
	tb.Cleanup(func() {
		if err := rewrite(script, w.golden); err != nil {
			tb.Error(err)
		}
	})
	env.Vars = append(env.Vars,
		"HOUNDTRAIL_TENANT=acme",
		"HOUNDTRAIL_ARCHIVE_URL=file://"+env.WorkDir+"/archive",
		"HOUNDTRAIL_CHECKPOINT_URL=file://"+env.WorkDir+"/positions",
		"HOUNDTRAIL_BLOODHOUND_RATE=1000",
		"HOUNDTRAIL_RESCAN_SCHEDULE="+time.Now().Add(-time.Hour).Format("4 15 * * *"), // no rescan while a script moves the clock by hours
		"HOUNDTRAIL_LOG_LEVEL=error",                                                  // then standard error has only the messages for the user
		"AWS_EC2_METADATA_DISABLED=true",
		clockVariable+"="+filepath.Join(env.WorkDir, ".clock"),
	)
	if *godebug != "" {
		env.Vars = append(env.Vars, "GODEBUG="+*godebug)
	}
	if env.Getenv("GORACE") == "" {
		env.Vars = append(env.Vars, "GORACE=atexit_sleep_ms=10") // otherwise each process of a -race build sleeps for a second
	}
	return nil
}
