// Package transport is what our HTTP clients have in common: how long an exchange may take, which certificates and
// proxies are understood, what to do when those refuse, and how long a server asks to wait. It imports nothing of ours.
package transport
