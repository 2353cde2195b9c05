//go:build race

package simulation

// fewSeeds is the default number of worlds. The race detector takes ten times as long for one world.
const fewSeeds = 20
