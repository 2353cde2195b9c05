// Package schema turns records into events of a public schema: the Elastic Common Schema (ECS) or the Open Cybersecurity Schema
// Framework (OCSF). It is pure, and the same record gives the same bytes.
//
// A [Schema] writes one line of JSON for a record. If a schema has a field for a part of the record, the part is there under the
// schema's name. The whole record as the server sent it comes last. In ECS it is the object bloodhound, and its key fields is the
// text of its JSON, since an index cannot take values of any shape. In OCSF it is unmapped.bloodhound.
//
// # Rules
//
//   - A change is two records, the intent and its outcome. A rule on event.type or status_id must count one of them. So an intent
//     has the event.type info and the event.outcome unknown, or the status_id 99 and the status intent.
//   - Only the key status says how an action ended. The value of fields.error gives only a message: newer servers write {} there.
//   - The address of the source is the last one of the chain, since BloodHound itself saw only that one. With
//     [Options].TrustedProxies it is further to the left. If an element is no address, the event does not have it.
//   - If an event lacks an object that its OCSF class requires, it goes into a class that does not require the object. The package
//     never invents a value to satisfy a schema.
//   - The package cuts a text at 1,024 bytes, and reads the last 64 elements of a chain. So the mapped parts of an event are small
//     for any data that a client sends to BloodHound, and an index takes them as keywords. The record as the server sent it is
//     complete.
//
// The table of actions is [Actions]. It gives their categories, types, classes, activities and severities. If an action is not in
// it, the HTTP method or the verb at the beginning of its name decides.
package schema
