// Package rest is the connection to one BloodHound server: credentials and signatures, the rate, deadlines, retries, the
// server's clock, and the causes of failed requests.
//
// A [Client] sends a GET. If the answer is a 200 with a JSON object, it returns the body. Everything else is an [*Error] that
// names the request, the server, the cause and the next step. Two errors are not: a cancelled context, and credentials that
// cannot be read. The package does not know the meaning of a body.
package rest
