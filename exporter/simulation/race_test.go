//go:build race

package simulation

// fewSeeds is how many worlds there are by default: the race detector takes ten times as long for one.
const fewSeeds = 40
