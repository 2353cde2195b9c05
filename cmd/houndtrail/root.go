package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "houndtrail",
		Short: "Archive the BloodHound audit log and forward it, each record once",
		Long: `Houndtrail reads the BloodHound audit log in windows of time, writes it as Parquet to S3 (for Athena) or a directory,
and posts it as NDJSON to a SIEM. It commits its position only after the destination has acknowledged every record.

It is configured by HOUNDTRAIL_ environment variables; docs/configuration.md lists them all. To see it work with nothing
installed, run: houndtrail demo`,
		Args:          cobra.NoArgs,
		Version:       build(),
		SilenceErrors: true,

		SuggestionsMinimumDistance: 2, // letters
		SilenceUsage:               true,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(p.stdout) // before InitDefaultCompletionCmd, which keeps the output that it finds
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(
		p.run(), p.backfill(), p.replay(), p.compact(), p.forget(), p.adopt(), p.move(), p.acceptReset(),
		p.logs(), p.history(), p.verify(), p.prove(), p.status(), p.watch(), p.doctor(), p.deadletter(), p.keygen(), p.keys(),
		p.ddl(), p.query(), p.demo(), p.version(),
	)
	root.Args = noArgs
	for _, cmd := range root.Commands() {
		if cmd.Args == nil {
			cmd.Args = noArgs
		}
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = aCommand
		case "query":
			cmd.Args = aQuestion
		case "completion":
			cmd.Args, cmd.Short = aShell, "Print the completion script for a shell"
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			for _, shell := range cmd.Commands() {
				shell.Args = noArgs
				shell.Long = strings.ReplaceAll(shell.Long, " > $(", " \\\n\t  > $(") // without this, a line is too long for a terminal
			}
		}
	}
	fit(root)
	return root
}

// fit makes the help of a command, and of all commands below it, as wide as a terminal.
func fit(cmd *cobra.Command) {
	cmd.Long = show.Wrap(cmd.Long)
	if !cmd.HasParent() {
		narrow := strings.NewReplacer(
			"Flags.FlagUsages ", fmt.Sprintf("Flags.FlagUsagesWrapped %d ", show.Terminal),
			" for more information about a command.", " for more about a command.",
		)
		cmd.SetUsageTemplate(narrow.Replace(cmd.UsageTemplate()))
	}
	for _, child := range cmd.Commands() {
		fit(child)
	}
}

// aCommand accepts the arguments of help: the words of a command, or none.
func aCommand(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	if err != nil {
		return stream.Usage(err)
	}
	return found.Args(found, rest)
}

// aQuestion accepts the name of a question, or none.
func aQuestion(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return stream.Usagef("query takes one name, got %q; see: %s --help", args, cmd.CommandPath())
	}
	return nil
}

// aShell refuses a shell that completion does not know: completion has a command for each shell that it knows.
func aShell(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var shells []string
	for _, shell := range cmd.Commands() {
		shells = append(shells, shell.Name())
	}
	return stream.Usagef("no completion for %q: want one of %s", args[0], strings.Join(shells, ", "))
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasParent() {
		next := "see: houndtrail --help"
		if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
			next = "did you mean " + strings.Join(similar, " or ") + "?"
		}
		return stream.Usagef("unknown command %q; %s", args[0], next)
	}
	return stream.Usagef("%s takes no arguments, got %q; see: %s --help", cmd.Name(), args[0], cmd.CommandPath())
}

// choice is a flag that takes one of several words.
type choice struct {
	value   string
	allowed []string
}

func (c *choice) String() string { return c.value }

// Type is the flag's value in the help: the words, if there is room for them.
func (c *choice) Type() string {
	const room = 26 // as long as table|wide|json|ndjson, and a little more
	if all := strings.Join(c.allowed, "|"); len(all) <= room {
		return all
	}
	return "name"
}

func (c *choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return fmt.Errorf("want one of %s", strings.Join(c.allowed, ", "))
	}
	c.value = s
	return nil
}

// flagError says which values a flag accepts. It uses our words, and not those of Go's libraries.
func flagError(cmd *cobra.Command, err error) error {
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		err = fmt.Errorf("--%s %q: %s", bad.GetFlag().Name, bad.GetValue(), wanted(bad))
	}
	return stream.Usagef("%w; see: %s --help", err, cmd.CommandPath())
}

func wanted(bad *pflag.InvalidValueError) string {
	switch bad.GetFlag().Value.Type() {
	case "int":
		return "want a whole number"
	case "duration":
		return "want a duration such as 90s or 1h30m"
	case "bool":
		return "want true or false"
	default:
		return bad.Unwrap().Error()
	}
}

func (p *program) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(p.stdout, "houndtrail %s\n", build())
			return err
		},
	}
}

// build names the version, the commit with its time, the Go that compiled it, and the platform. A part that the build did not
// record is left out.
func build() string {
	from := map[string]string{"vcs.revision": commit, "vcs.time": date}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if set, known := from[s.Key]; known && set == "" {
				from[s.Key] = s.Value
			}
		}
	}
	rev, at := from["vcs.revision"], from["vcs.time"]
	stamp := strings.TrimPrefix(strings.TrimSuffix(rev[:min(len(rev), 12)]+", "+at, ", "), ", ")
	if stamp != "" {
		stamp = " (" + stamp + ")"
	}
	return fmt.Sprintf("%s%s %s %s/%s", version, stamp, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
