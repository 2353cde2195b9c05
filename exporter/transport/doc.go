// Package transport has the common parts of our HTTP clients. They decide how long an exchange may take, and which certificates
// and proxies a client accepts. If one of these refuses, they say what the user should do. They also read how long a server
// asks to wait. It imports no other package of Houndtrail.
package transport
