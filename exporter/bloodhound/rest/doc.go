// Package rest is the connection to one BloodHound server: credentials and signatures, the rate, deadlines, retries, the
// server's clock, and what an answer is that is none.
//
// A [Client] sends a GET and gives back the body of a 200 that holds a JSON object; everything else is an [*Error] that says
// what was tried, on what, why it failed and what to do next. What a body means is not known here.
package rest
