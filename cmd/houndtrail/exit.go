package main

import (
	"context"
	"errors"
	"strings"

	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

// describe is the text of the error that the program prints at its end, with the program's name before each line.
func describe(err error) string {
	if errors.As(err, new(*config.Error)) {
		return "houndtrail: the configuration is not usable:\n  " + strings.ReplaceAll(err.Error(), "\n", "\n  ")
	}
	if errors.Is(err, context.Canceled) && !errors.As(err, new(*exporter.Error)) {
		return "houndtrail: interrupted"
	}
	return "houndtrail: " + strings.ReplaceAll(err.Error(), "\n", "\nhoundtrail: ")
}
