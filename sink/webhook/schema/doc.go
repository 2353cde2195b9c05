// Package schema turns records into events of a public schema: the Elastic Common Schema (ECS) or the Open Cybersecurity Schema
// Framework (OCSF). It is pure, and the same record gives the same bytes.
//
// A [Schema] writes one line of JSON for a record. The parts that a schema has fields for are there under the schema's names. The
// whole record as the server sent it comes last: in ECS it is the object bloodhound, with the JSON of the key fields as a text, since
// an index cannot take values of any shape. In OCSF it is unmapped.bloodhound.
//
// # Rules
//
//   - A change is two records, the intent and its outcome. A rule on event.type or status_id must count one of them. So an intent
//     has the event.type info and the event.outcome unknown, or the status_id 99 and the status intent.
//   - Only the key status says how an action ended. The value of fields.error is a message at most: newer servers write {} there.
//   - The address of the source is the last one of the chain, since BloodHound itself saw only that one. With
//     [Options].TrustedProxies it is further to the left. An element that is no address is left out.
//   - If an event lacks an object that its OCSF class requires, it goes into a class that does not require the object. A schema is
//     never satisfied with an invented value.
//   - A text is cut at 1,024 bytes, and a chain counts from its last 64 elements on. So the mapped parts of an event are small,
//     whatever a client has sent to BloodHound, and an index takes them as keywords. The record as the server sent it is whole.
//
// The table of actions, and so of their categories, types, classes, activities and severities, is [Actions]. An action that is not
// in it is judged by the HTTP method or by the verb that its name begins with.
package schema
