// Package authorize proves to a receiver that a request may deliver: by a header with a secret, by a token of OAuth 2.0, by a
// signature, or by a client certificate. An [Authorizer] is one such proof, and [All] joins several.
//
// # Secrets that change
//
// A secret that comes from a file is read again while Houndtrail runs, at most once in two seconds. New content counts once two
// looks in a row have found the same: a program that writes the file may not be done. If the receiver refuses a request, the file is
// read at once and its content counts at once, since nothing is left to lose. If the new content cannot be used, the earlier secret
// stays in use. The log says so once, and so does the error of a request that the receiver then refuses.
//
// No error and no line of the log holds a secret. [Authorizer.Secrets] lists them for those who quote a receiver.
package authorize
