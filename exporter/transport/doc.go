// Package transport is what our HTTP clients have in common: how long a body may stand still, which certificates and
// proxies are understood, and what to do when those refuse. It imports nothing of ours.
package transport
