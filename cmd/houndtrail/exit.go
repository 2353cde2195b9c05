package main

import (
	"context"
	"errors"
	"strings"

	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

// describe is the error as it is printed last, each line under the program's name.
func describe(err error) string {
	if errors.As(err, new(*config.Error)) {
		return "houndtrail: the configuration is not usable:\n  " + strings.ReplaceAll(err.Error(), "\n", "\n  ")
	}
	if errors.Is(err, context.Canceled) && !errors.As(err, new(*exporter.Error)) {
		return "houndtrail: interrupted"
	}
	return "houndtrail: " + strings.ReplaceAll(err.Error(), "\n", "\nhoundtrail: ")
}
