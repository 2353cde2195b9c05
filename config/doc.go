// Package config has all settings, and reads them from the environment.
//
// [Config] is the tree; the comments and tags of its fields are the reference manual, and [Reference] prints them.
// go-envconfig fills the tree. Three rules go beyond it, because a typing error must not become a silent gap in an
// audit archive:
//
//   - Load reports all problems at once, each with its variable, its value and the allowed values;
//   - a variable of our prefix that Houndtrail does not know is a problem, and so is a variable that is set but empty;
//   - a secret never appears in an error, a log line or a print of the tree.
//
// The tags beside env say which values are allowed and how the reference shows them:
//
//	min, max   the range of a number, a duration or a size, both ends allowed
//	step       a duration must be a multiple of it
//	oneof      the words that are allowed
//	shown      the default in the reference, if the env tag has none
//	first      a value for a first configuration; such variables lead the example file
//	example    a value for the example file, if there is no default
//
// Schedules may name a time zone (CRON_TZ). A program that may run without zone files imports time/tzdata in its main.
package config
