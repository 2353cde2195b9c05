// Package config is everything that can be set, read from the environment.
//
// [Config] is the tree; the comments and tags of its fields are the reference manual, and [Reference] prints them.
// go-envconfig fills the tree. Three rules go beyond it, because a typing error must not become a silent gap in an
// audit archive:
//
//   - all problems are reported at once, each with its variable, what it got and what is allowed;
//   - a variable of our prefix that Houndtrail does not know is a problem, and so is one that is set but empty;
//   - a secret never appears in an error, a log line or a print of the tree.
//
// The tags beside env say what a value may be and how it is shown:
//
//	min, max   the range of a number, a duration or a size, both ends allowed
//	step       a duration must be a multiple of it
//	oneof      the words that are allowed
//	shown      what the reference prints as the default, where the env tag has none
//	first      a value for a first configuration; such variables lead the example file
//	example    a value for the example file, where there is no default
//
// Schedules may name a time zone (CRON_TZ): a program that runs without zone files imports time/tzdata in its main.
package config
