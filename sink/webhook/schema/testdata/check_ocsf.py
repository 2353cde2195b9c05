"""The OCSF classes that events have, and a check of events against them: .ci/schemas runs it.

check_ocsf.py print VERSION         prints the JSON schemas of the classes in one document. ocsf-VERSION.json beside this file is one.
check_ocsf.py check VERSION FILE    checks each line of FILE with another validator than the Go tests use.
check_ocsf.py models VERSION FILE   checks the captions as well, by the models of pydantic-ocsf.

The classes are those of the Open Cybersecurity Schema Framework, Apache License 2.0.
"""

import collections
import json
import sys

CLASSES = {0: "base_event", 3001: "account_change", 3002: "authentication", 3004: "entity_management", 6003: "api_activity"}
LICENCE = "Made of the Open Cybersecurity Schema Framework (https://github.com/ocsf/ocsf-schema), Apache License 2.0, by check_ocsf.py"


def document(version):
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    source = OcsfJsonSchemaEmbedded(get_ocsf_schema(version))
    classes, objects = {}, {}
    for uid, name in CLASSES.items():
        schema = source.get_class_schema(name)
        for key, value in schema.pop("$defs").items():
            if objects.setdefault(key, value) != value:
                raise SystemExit(f"{key} is not the same object in all classes")
        del schema["$schema"], schema["$id"]
        classes[f"class_{uid}"] = schema
    return {
        "$comment": LICENCE,
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": dict(sorted((objects | classes).items())),
    }


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def check(version, path):
    from jsonschema import Draft202012Validator

    schema = document(version)
    validators = {
        uid: Draft202012Validator({"$schema": schema["$schema"], "$defs": schema["$defs"], "$ref": f"#/$defs/class_{uid}"})
        for uid in CLASSES
    }
    seen, wrong = collections.Counter(), 0
    for n, event in enumerate(lines(path), 1):
        uid = event["class_uid"]
        seen[uid] += 1
        for error in validators[uid].iter_errors(event):
            wrong += 1
            if wrong <= 10:
                print(f"line {n}, class {uid}, {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}")
    print(f"OCSF {version}: {sum(seen.values())} events, {dict(sorted(seen.items()))}, {wrong} violations")
    missing = set(CLASSES) - set(seen)
    return 1 if wrong or missing else 0


def models(version, path):
    from importlib import import_module

    package = import_module("ocsf.v" + version.replace(".", "_") + ".events")
    names = {3001: "AccountChange", 3002: "Authentication", 3004: "EntityManagement", 6003: "APIActivity"}
    seen, wrong = 0, 0
    for n, event in enumerate(lines(path), 1):
        name = names.get(event["class_uid"])
        if name is None:  # the package cannot build its base event
            continue
        seen += 1
        try:
            getattr(package, name).model_validate(event)
        except ValueError as error:
            wrong += 1
            if wrong <= 10:
                print(f"line {n}, {name}: {str(error)[:500]}")
    print(f"pydantic-ocsf {version}: {seen} events, {wrong} violations")
    return 1 if wrong or not seen else 0


def main(command, version, path=None):
    if command == "print":
        print(json.dumps(document(version), separators=(",", ":"), sort_keys=True))
        return 0
    return {"check": check, "models": models}[command](version, path)


sys.exit(main(*sys.argv[1:]))
