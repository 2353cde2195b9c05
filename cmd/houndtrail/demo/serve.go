package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
)

// servedID is the id of the token at the BloodHound that Serve serves. It is fixed, so that a compose file can name it. It
// protects nothing: every record of this BloodHound is made up.
const servedID = "5e1f0d3e-0000-4000-8000-00000000de30"

// Serve serves the demo's BloodHound and receiver on address, until ctx ends. It exports nothing: another process does that. The
// history has o.Records of the last six weeks, and goes on for a week at the same rate.
func Serve(ctx context.Context, address string, o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("serve the demo's BloodHound on %s: %w; choose another address", address, err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	rows := history.Rows(history.Options{
		Seed: seed, N: o.Records * (weeks + 1) / weeks, Start: now.AddDate(0, 0, -7*weeks), End: now.AddDate(0, 0, 7),
	})
	mux := http.NewServeMux()
	mux.Handle("/ingest", &Receiver{})
	mux.Handle("/", bloodhoundtest.New(bloodhoundtest.Options{
		Now: time.Now, Seed: seed, Rows: rows, Tokens: map[string]string{servedID: tokenKey},
	}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	url := "http://" + listener.Addr().String()
	o.say("A BloodHound test double and a receiver answer, until you stop this command:\n\n%s\n",
		strings.Join(connection(url, servedID, url), "\n"))
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the demo's BloodHound on %s: %w", address, err)
	}
	return nil
}
