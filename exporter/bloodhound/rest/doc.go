// Package rest is the connection to one BloodHound server: credentials and signatures, the rate, deadlines, retries, the
// server's clock, and the causes of failed requests.
//
// A [Client] sends a GET and returns the body of a 200 that holds a JSON object. Everything else is an [*Error] that names the
// request, the server, the cause and the next step, except for a cancelled context and for credentials that cannot be read. The
// package does not know the meaning of a body.
package rest
