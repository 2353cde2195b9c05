package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "houndtrail",
		Short: "Archive the BloodHound audit log and forward it, each record once",
		Long: `Houndtrail reads the BloodHound audit log in windows of time, writes it as Parquet to S3 (for Athena) or a directory,
and posts it as NDJSON to a SIEM. It commits its position only after the destination has acknowledged every record.

It is configured by HOUNDTRAIL_ environment variables; the README lists them all. To see it work with nothing
installed, run: houndtrail demo`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,

		SuggestionsMinimumDistance: 2, // letters
		SilenceUsage:               true,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see: %s --help", err, cmd.CommandPath())}
	})
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(
		p.run(), p.backfill(), p.adopt(), p.move(), p.acceptReset(),
		p.logs(), p.history(), p.status(), p.ddl(), p.demo(), p.version(),
	)
	for _, cmd := range root.Commands() {
		cmd.Args = noArgs
	}
	root.Args = noArgs
	return root
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
		return &usageError{fmt.Errorf("unknown command %q; %s", args[0], next)}
	}
	return &usageError{fmt.Errorf("%s takes no arguments, got %q; see: %s --help", cmd.Name(), args[0], cmd.CommandPath())}
}

// choice is a flag that takes one of a few words.
type choice struct {
	value   string
	allowed []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return "word" }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return fmt.Errorf("want one of %s", strings.Join(c.allowed, ", "))
	}
	c.value = s
	return nil
}
