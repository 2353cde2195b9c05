package main

import (
	"github.com/spf13/cobra"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/demo"
)

func (p *program) demo() *cobra.Command {
	o := demo.Options{Version: version, Memory: memory(), Out: p.stdout}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See the whole thing work, with nothing installed",
		Long: `Start a BloodHound test double with weeks of believable history, export it as
Parquet into a directory, forward it as NDJSON to a receiver, let some late
records appear, run again, and show what can be proven. Nothing leaves this
machine: both servers listen on the loopback interface and end with the command.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return demo.Run(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "houndtrail-demo", "where to put the archive; what an earlier demo left there is replaced")
	cmd.Flags().IntVar(&o.Records, "records", 40_000, "how much history to make up")
	return cmd
}
