// Package transport has the common parts of our HTTP clients: how long an exchange may take; which certificates and proxies the
// clients accept, and what the user should do if one of these refuses; and how long a server asks to wait. It imports no other
// package of Houndtrail.
package transport
