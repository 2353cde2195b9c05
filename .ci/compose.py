"""Checks deploy/compose/compose.yaml. There is no container engine in CI, so this program stands in for one: it starts the command
of each service, with the service's environment, as a process of this machine. Names of services become addresses of the loopback
interface, and folders of volumes become folders of a scratch directory. It reads what came out at the end of the chain.

  compose.py SCHEMA SCRATCH NAME=PROGRAM...    the programs of the images, by their names without registry and tag
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import jsonschema
import yaml

FILE = pathlib.Path("deploy/compose/compose.yaml")
# The ports inside of the containers that would meet on one machine.
PORTS = {("prometheus", "9090"): "19391", ("houndtrail", "9090"): "19390", ("s3", "7070"): "19370",
         ("victorialogs", "9428"): "19328", ("bloodhound", "8080"): "19380"}


def load(schema):
    project = yaml.safe_load(FILE.read_text())
    jsonschema.validate(project, json.loads(pathlib.Path(schema).read_text()))
    # The check itself must be able to fail.
    broken = {**project, "services": {"x": {"imagee": "y"}}}
    try:
        jsonschema.validate(broken, json.loads(pathlib.Path(schema).read_text()))
        sys.exit("the schema lets a misspelt key through")
    except jsonschema.ValidationError:
        pass
    for name, service in project["services"].items():
        if service["image"] != "houndtrail" and ":v" not in service["image"]:
            sys.exit(f"{name}: the image {service['image']} has no version")
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                sys.exit(f"{name}: the port {port} is open to the network")
            if (name, port.rsplit(":", 1)[1]) not in PORTS:
                sys.exit(f"{name}: no container listens on {port}")
    return project


def localised(text, name, folders):
    """Replaces the names of services, and folders of the container, by those of this machine."""
    for (service, port), here in PORTS.items():
        text = text.replace(f"{service}:{port}", f"127.0.0.1:{here}")
        if service == name and text == f":{port}":
            text = f"127.0.0.1:{here}"
    if folders:
        longest_first = "|".join(re.escape(inside) for inside in sorted(folders, key=len, reverse=True))
        text = re.sub(rf"(?<![\w./])({longest_first})(?![\w.])", lambda found: str(folders[found[0]]), text)
    return text


def start(project, name, scratch, programs):
    service = project["services"][name]
    folders = {}
    for volume in service.get("volumes", []):
        source, inside = volume.split(":")[:2]
        if source.startswith("."):
            copy = scratch / name / pathlib.Path(inside).name
            copy.parent.mkdir(parents=True, exist_ok=True)
            folders[inside] = copy
            copy.write_text((FILE.parent / source).read_text())
        else:
            folders[inside] = scratch / name / inside.strip("/")
            folders[inside].mkdir(parents=True)
            # A command may name the folder above the volume.
            folders.setdefault(str(pathlib.Path(inside).parent), folders[inside].parent)
    folders.pop("/", None)
    for inside, copy in folders.items():
        if copy.is_file():
            copy.write_text(localised(copy.read_text(), name, folders))
    image = service["image"].split("@")[0].rsplit(":", 1)[0].rsplit("/", 1)[-1]
    command = [localised(word, name, folders) for word in service["command"]]
    # Without an address on its command line, a server has its default port.
    if name == "victorialogs":
        command.append(f"-httpListenAddr=127.0.0.1:{PORTS[name, '9428']}")
    if name == "prometheus":
        command.append(f"--web.listen-address=127.0.0.1:{PORTS[name, '9090']}")
    environment = {"PATH": os.environ["PATH"], "HOME": str(scratch)}
    for key, value in service.get("environment", {}).items():
        environment[key] = localised(value, name, folders)
    log = open(scratch / f"{name}.log", "w")
    print(name, *command)
    return subprocess.Popen([programs[image], *command], env=environment, stdout=log, stderr=log, cwd=scratch)


def get(service, port, path):
    url = f"http://127.0.0.1:{PORTS[service, port]}{path}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()
    except OSError as err:
        return f"{url}: {err}"


def arrived(scratch):
    """The pieces that are at the end of the chain: files, events, and the metrics of both streams."""
    events = get("victorialogs", "9428", "/select/logsql/query?" + urllib.parse.urlencode(
        {"query": "* | stats count() n, count_uniq(event_id) ids"}))
    query = urllib.parse.urlencode({"query": 'count(houndtrail_stream_state{state="ok"} == 1)'})
    healthy = get("prometheus", "9090", "/api/v1/query?" + query)
    files = list((scratch / "s3").rglob("*.parquet"))
    try:
        counted = json.loads(events)
        well = json.loads(healthy)["data"]["result"][0]["value"][1]
        return counted["n"] == counted["ids"] and int(counted["n"]) > 4000 and well == "2" and len(files) > 30, (counted, well, len(files))
    except (ValueError, KeyError, IndexError):
        return False, (events, healthy, len(files))


def main():
    project = load(sys.argv[1])
    scratch = pathlib.Path(sys.argv[2])
    programs = dict(word.split("=", 1) for word in sys.argv[3:])
    running, seen, ok = [], None, False
    try:
        for name in project["services"]:
            running.append(start(project, name, scratch, programs))
        end = time.monotonic() + 300
        while not ok and time.monotonic() < end:
            time.sleep(1)
            ok, seen = arrived(scratch)
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(60)
    print(seen)
    if not ok:
        for log in scratch.glob("*.log"):
            print(log.name, log.read_text()[-1500:])
        sys.exit("the chain is not complete")


main()
