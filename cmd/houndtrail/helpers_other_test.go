//go:build !linux

package main

// helpers take something away from houndtrail. Only Linux has the means for that.
var helpers = map[string]func(){}

func abilities() map[string]bool { return map[string]bool{"small-disk": false, "file-modes": false} }
