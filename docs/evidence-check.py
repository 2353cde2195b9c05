#!/usr/bin/env python3
"""Check a Houndtrail proof of one record with nothing of Houndtrail: Python 3.8 and openssl 3 are enough.

    evidence-check.py PROOF.json PUBLIC-KEY.pem [OBJECT-FILE]

The public key must come from the journal's owner, and not from the proof or the bucket. Exit code 0: the record is proved.
Any other exit code: it is not.
"""
import base64
import hashlib
import json
import subprocess
import sys
import tempfile


def sha256(data):
    return hashlib.sha256(data).digest()


def check(holds, fact):
    print(("ok     " if holds else "WRONG  ") + fact)
    if not holds:
        sys.exit(6)


def no_key_twice(pairs):
    """Refuses JSON that two readers could read differently."""
    if len({key.lower() for key, _ in pairs}) != len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


def climb(leaf, index, size, path):
    """The root to which the path leads from the leaf (RFC 9162, 2.1.3.2); None if the path has the wrong length."""
    if not 0 <= index < size:
        return None
    node, last = leaf, size - 1
    for text in path:
        sibling = base64.b64decode(text, validate=True)
        if last == 0 or len(sibling) != 32:
            return None
        if index % 2 == 1 or index == last:  # the sibling is on the left
            node = sha256(b"\x01" + sibling + node)
            while index % 2 == 0 and index > 0:  # levels on which the node has no sibling
                index, last = index >> 1, last >> 1
        else:
            node = sha256(b"\x01" + node + sibling)
        index, last = index >> 1, last >> 1
    return node if last == 0 else None


def is_signed(text, lines, origin, pem):
    """Whether one of the lines is the signature of the text by the key in the PEM file."""
    der = subprocess.run(["openssl", "pkey", "-pubin", "-in", pem, "-outform", "DER"], check=True, capture_output=True).stdout
    key_id = sha256(origin.encode() + b"\n\x01" + der[-32:])[:4]
    for line in lines:
        dash, name, encoded = line.split(" ")
        raw = base64.b64decode(encoded, validate=True)
        if dash == "\u2014" and name == origin and raw[:4] == key_id:
            with tempfile.NamedTemporaryFile() as message, tempfile.NamedTemporaryFile() as signature:
                message.write(text.encode())
                message.flush()
                signature.write(raw[4:])
                signature.flush()
                return subprocess.run(
                    ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", pem, "-rawin", "-in", message.name, "-sigfile", signature.name],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    return False


def main(proof, pem, file=None):
    with open(proof, "rb") as opened:
        bundle = json.loads(opened.read().decode("utf-8"), object_pairs_hook=no_key_twice)
    check(bundle["houndtrail_proof"] == 1, "the proof has format 1")
    text, _, signatures = bundle["head"].partition("\n\n")
    text += "\n"
    origin, size, root = text.split("\n")[:3]
    check(is_signed(text, signatures.splitlines(), origin, pem), "your key signed the head of %s with %s entries" % (origin, size))

    line, place = base64.b64decode(bundle["entry"], validate=True), bundle["inclusion"]
    check(place["size"] == int(size), "the path of the entry leads to that head")
    check(climb(sha256(b"\x00" + line), place["index"], place["size"], place["hashes"]) == base64.b64decode(root),
          "the entry is leaf %d below that head" % place["index"])
    entry = json.loads(line.decode("utf-8"), object_pairs_hook=no_key_twice)
    check(entry["serial"] == place["index"] + 1 == bundle["serial"], "the entry says that it is entry %d" % entry["serial"])
    check(entry["seal"]["origin"] == origin == bundle["origin"], "the entry says that it is of that journal")

    named = [o for o in entry["objects"] if o["key"] == bundle["object"]["key"]]
    check(len(named) == 1, "the entry names the object once: %s" % bundle["object"]["key"])
    check(named[0]["sha256"] == bundle["object"]["sha256"], "its SHA-256 is %s" % named[0]["sha256"])
    record, row = bundle["record"], base64.b64decode(bundle["record"]["row"], validate=True)
    check(record["size"] == named[0]["records"], "the object has %d records" % record["size"])
    check(climb(sha256(b"\x00" + row), record["index"], record["size"], record["hashes"]) == base64.b64decode(named[0]["records_root"]),
          "the record is row %d of that object" % record["index"])
    number = b"%d" % record["id"]
    check(row.startswith(b"%d:%s," % (len(number), number)), "its id is %d" % record["id"])
    if file is not None:
        with open(file, "rb") as opened:
            check(hashlib.sha256(opened.read()).hexdigest() == named[0]["sha256"], "the file has that SHA-256")
    print("The record is proved: " + row.decode("utf-8"))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        check(False, "the proof is not readable: %r" % problem)
    except (OSError, subprocess.CalledProcessError) as problem:
        sys.exit("nothing was checked: %s" % problem)
