# shellcheck shell=bash
# The parts that the scripts beside this one share. Each script also runs by itself: bash .ci/lint
set -euo pipefail

CI_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$CI_DIR")
cd "$ROOT"

# shellcheck source=versions.sh
source "$CI_DIR/versions.sh"

# The scripts keep built tools from run to run, separate by their version and by the Go that built them.
TOOLS=${XDG_CACHE_HOME:-$HOME/.cache}/houndtrail-ci/$(go env GOVERSION)

# Each script has a folder of its own. It removes the folder when it ends.
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# A file collects the results, so that one failure does not hide the next. Each line is "status seconds name".
if [ -z "${RESULTS:-}" ]; then
  RESULTS=$WORK/results
  RESULTS_OWNER=1
  export RESULTS
fi

# check NAME COMMAND...: runs the command under a header, and notes its result.
check() {
  local name=$1 begin=$SECONDS status=passed code
  shift
  printf '\n=== %s\n' "$name"
  # The command has a shell of its own, and neither "if" nor "||" around it. In those, set -e is off, and the shell would not see a
  # failing line in the middle.
  set +e
  (
    set -e
    "$@"
  )
  code=$?
  set -e
  [ "$code" -eq 0 ] || status=failed
  printf '%s %s %s\n' "$status" "$((SECONDS - begin))" "$name" >>"$RESULTS"
  printf -- '--- %s: %s (%ds)\n' "$status" "$name" "$((SECONDS - begin))"
}

# skip NAME WHY: notes a check that this machine cannot run. In CI, a skip is a failure: a check that silently stopped running is
# worse than none.
skip() {
  local status=skipped
  if [ -n "${CI:-}" ]; then status=failed; fi
  printf '\n=== %s\n%s\n--- %s: %s\n' "$1" "$2" "$status" "$1"
  printf '%s 0 %s\n' "$status" "$1" >>"$RESULTS"
}

# count STATUS: prints the number of checks with that status.
count() { grep -c "^$1 " "$RESULTS" || true; }

# finish: the last command of a script. If the script runs by itself, finish prints the summary. Under .ci/run, that script prints
# it.
finish() {
  if [ -n "${RESULTS_OWNER:-}" ]; then summary; fi
}

summary() {
  local skipped
  printf '\n=== summary\n'
  while read -r status seconds name; do printf '%-8s %4ds  %s\n' "$status" "$seconds" "$name"; done <"$RESULTS"
  skipped=$(count skipped)
  printf '\n%d passed, %d failed%s\n' "$(count passed)" "$(count failed)" "$([ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped")"
  [ "$(count failed)" -eq 0 ] && [ "$(count passed)" -gt 0 ]
}

# tool PACKAGE@VERSION: prints the path of the built tool, and builds it first if it is missing.
tool() {
  local name=${1%@*}
  name=${name##*/}
  local dir=$TOOLS/$name@${1##*@}
  if [ ! -x "$dir/$name" ]; then
    echo "building $1" >&2
    # From an empty folder, so that this module has no effect on the build of the tool.
    (cd / && GOFLAGS='' GOWORK=off GOBIN=$dir.new go install "$1") >&2
    rm -rf "$dir" && mv "$dir.new" "$dir"
  fi
  echo "$dir/$name"
}

# virtual PACKAGE...: prints the folder of a virtual environment of Python with the packages of PyPI. It makes the environment first
# if it is missing.
virtual() {
  local dir
  dir=$(dirname "$TOOLS")/python-$(printf '%s\n' "$@" | sha256sum | cut -c 1-12)
  if [ ! -x "$dir/bin/python" ]; then
    echo "installing $*" >&2
    rm -rf "$dir"
    # In place, since its programs name the folder. The link to python comes last: without it, the environment is made anew.
    { python3 -m venv "$dir" && mv "$dir/bin/python" "$dir/bin/python.new" && "$dir/bin/python.new" -m pip install -q "$@" &&
      mv "$dir/bin/python.new" "$dir/bin/python"; } >&2
  fi
  echo "$dir"
}

# debian COMMAND PACKAGE: installs a command from Debian's packages if it is missing. It fails if it cannot.
debian() {
  command -v "$1" >/dev/null && return
  command -v apt-get >/dev/null || { echo "$1 is missing, and there is no apt-get to install $2 with"; return 1; }
  [ "$(id -u)" -eq 0 ] || { echo "$1 is missing: run as root, or first: sudo apt-get install $2"; return 1; }
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update && apt-get -q -y install "$2"
}

# modules: prints the folders of all modules in the tree, the root's first.
modules() {
  echo .
  find . -mindepth 2 -name go.mod -not -path './.git/*' -not -path '*/testdata/*' -printf '%h\n' | sort
}

# SIMULATOR is the folder of the tool that decides requests by policies. simulator: installs it if it is missing.
SIMULATOR=${XDG_CACHE_HOME:-$HOME/.cache}/houndtrail-ci/npm/${IAM_SIMULATE##*/}
simulator() {
  [ -d "$SIMULATOR" ] && return
  rm -rf "$SIMULATOR.new" && mkdir -p "$SIMULATOR.new"
  npm install --silent --ignore-scripts --no-audit --no-fund --prefix "$SIMULATOR.new" "$IAM_SIMULATE"
  mv "$SIMULATOR.new" "$SIMULATOR"
}

# module_dir MODULE@VERSION: downloads a Go module, and prints its folder.
module_dir() {
  local dir
  dir=$(cd / && GOFLAGS='' go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  [ -n "$dir" ] || { echo "cannot find the module $1" >&2; return 1; }
  echo "$dir"
}

# crds: prints the files of the CustomResourceDefinitions that the chart's objects need.
crds() {
  local prometheus secrets
  prometheus=$(module_dir "$PROMETHEUS_OPERATOR")/example/prometheus-operator-crd
  secrets=$(module_dir "$EXTERNAL_SECRETS")/config/crds/bases
  printf '%s\n' "$prometheus"/monitoring.coreos.com_{podmonitors,prometheusrules}.yaml "$secrets/external-secrets.io_externalsecrets.yaml"
}

# server NAME: prints the path of a server that the tests have built, the newest one.
server() {
  find "${XDG_CACHE_HOME:-$HOME/.cache}/houndtrail/testbin" -type f -name "$1-*" -perm -100 -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2
}
