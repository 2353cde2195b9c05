// Package authorize proves to a receiver that a request may deliver: by a header with a secret, by a token of OAuth 2.0, by a
// signature, or by a client certificate. An [Authorizer] is one such proof, and [All] joins several.
//
// # Secrets that change
//
// If a secret comes from a file, Houndtrail reads the file again while it runs, at most once in two seconds. It uses new content
// when it has found the same content twice in a row: the program that writes the file may not have finished. If the receiver
// refuses a request, Houndtrail reads the file and uses its content at once, since the earlier secret is of no use any more. If
// Houndtrail cannot use the new content, the earlier secret stays in use. The log says so once. If the receiver then refuses a
// request, the error says so too.
//
// No error and no line of the log has a secret. [Authorizer.Secrets] lists them for code that quotes a receiver.
package authorize
