package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
)

// A host takes the place of a test for the servers of sinktest: it keeps their folders and ends them.
type host struct {
	testing.TB // nil: the servers call only the methods below

	dir   string
	undos []func()
}

// A refusal is the reason why a server cannot be started.
type refusal string

// within calls do with a host for servers, and ends the servers that do has started.
func within(dir string, do func(h *host) error) (err error) {
	h := &host{dir: dir}
	defer func() {
		for _, undo := range slices.Backward(h.undos) {
			undo()
		}
		if said := recover(); said != nil {
			why, ok := said.(refusal)
			if !ok {
				panic(said)
			}
			err = fmt.Errorf("a server cannot be started: %s", string(why))
		}
	}()
	return do(h)
}

func (h *host) Helper()                          {}
func (h *host) Context() context.Context         { return context.Background() }
func (h *host) Cleanup(undo func())              { h.undos = append(h.undos, undo) }
func (h *host) Failed() bool                     { return false }
func (h *host) Fatal(args ...any)                { panic(refusal(fmt.Sprint(args...))) }
func (h *host) Fatalf(format string, a ...any)   { panic(refusal(fmt.Sprintf(format, a...))) }
func (h *host) Skipf(format string, args ...any) { h.Fatalf(format, args...) }

func (h *host) TempDir() string {
	dir, err := os.MkdirTemp(h.dir, "server-")
	if err != nil {
		h.Fatal(err)
	}
	return dir
}
