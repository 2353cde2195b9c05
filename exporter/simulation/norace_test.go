//go:build !race

package simulation

// fewSeeds is the default number of worlds.
const fewSeeds = 300
