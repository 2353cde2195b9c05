// Package transport is what our HTTP clients have in common: how long an exchange may take, which certificates and
// proxies are understood, and what to do when those refuse. It imports nothing of ours.
package transport
