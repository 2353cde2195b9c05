//go:build !linux

package main

// helpers take something away from houndtrail, for which only Linux has the means.
var helpers = map[string]func(){}

func abilities() map[string]bool { return map[string]bool{"small-disk": false, "file-modes": false} }
