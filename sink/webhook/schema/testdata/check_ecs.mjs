// The ECS fields that events can have, and a check of events against them: .ci/schemas runs it.
//
// node check_ecs.mjs print PACKAGE FIELDS        prints the definitions. ecs-VERSION.json beside this file is one such list.
// node check_ecs.mjs check PACKAGE FIELDS FILE   checks each line of FILE.
//
// PACKAGE is the folder of the npm package @elastic/ecs, Apache License 2.0. FIELDS are the names of the field sets, with commas.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [command, folder, sets, file] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const { EcsFlat } = require(folder + "/generated/ecs_flat.js");
const { version } = require(folder + "/package.json");

const wanted = new Set(sets.split(","));
const definitions = {};
for (const field of Object.values(EcsFlat).sort((a, b) => (a.flat_name < b.flat_name ? -1 : 1))) {
  if (!wanted.has(field.flat_name.split(".")[0])) continue;
  const d = { type: field.type };
  if (field.normalize.includes("array")) d.array = true;
  if (field.allowed_values?.length) d.values = field.allowed_values.map((v) => v.name);
  const expected = (field.allowed_values ?? []).filter((v) => v.expected_event_types);
  if (expected.length) d.types = Object.fromEntries(expected.map((v) => [v.name, v.expected_event_types]));
  definitions[field.flat_name] = d;
}

const list = {
  licence: `Made of the Elastic Common Schema, npm @elastic/ecs ${version}, Apache License 2.0, by check_ecs.mjs`,
  fields: definitions,
};

// kinds are the JSON types of the ECS types that events have.
const kinds = {
  keyword: "string", wildcard: "string", match_only_text: "string", text: "string", constant_keyword: "string", date: "string",
  ip: "string", long: "number", boolean: "boolean",
};

function problems(value, path, found) {
  if (path === "bloodhound") return found; // a custom field set
  const d = definitions[path];
  if (d && d.type !== "object" && d.type !== "nested") {
    const values = Array.isArray(value) ? value : [value];
    if (Array.isArray(value) !== Boolean(d.array)) found.push(`${path}: array or not`);
    for (const v of values) {
      if (typeof v !== kinds[d.type]) found.push(`${path}: ${d.type} is ${typeof v}`);
      if (d.values && !d.values.includes(v)) found.push(`${path}: ${v} is no allowed value`);
    }
  } else if (value !== null && typeof value === "object" && !Array.isArray(value)) {
    for (const [key, v] of Object.entries(value)) problems(v, path ? `${path}.${key}` : key, found);
  } else found.push(`${path}: no such field`);
  return found;
}

// A type belongs to an event if one of the event's categories expects it.
function types(event) {
  const expected = definitions["event.category"].types;
  return event.type
    .filter((t) => !event.category.some((c) => expected[c]?.includes(t)))
    .map((t) => `event.type: ${t} is not expected for ${event.category}`);
}

if (command === "print") {
  const rows = Object.entries(definitions).map(([name, d]) => `${JSON.stringify(name)}:${JSON.stringify(d)}`);
  console.log(`{"licence":${JSON.stringify(list.licence)},"fields":{\n${rows.join(",\n")}\n}}`);
} else {
  let events = 0, wrong = 0;
  for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
    const event = JSON.parse(line);
    events++;
    for (const p of [...problems(event, "", []), ...types(event.event)]) {
      if (++wrong <= 10) console.log(`line ${events}: ${p}`);
    }
  }
  console.log(`ECS ${version}: ${events} events, ${wrong} violations`);
  process.exit(wrong || !events ? 1 : 0);
}
