//go:build !race

package simulation

// fewSeeds is how many worlds there are by default.
const fewSeeds = 300
