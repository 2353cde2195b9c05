# shellcheck shell=bash
# What the scripts beside this one share. Each of them runs by itself as well: bash .ci/lint
set -euo pipefail

CI_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$CI_DIR")
cd "$ROOT"

# shellcheck source=versions.sh
source "$CI_DIR/versions.sh"

# Built tools are kept from run to run, apart by version and by the Go that built them.
TOOLS=${XDG_CACHE_HOME:-$HOME/.cache}/houndtrail-ci/$(go env GOVERSION)

# A folder of each script's own, gone when it ends.
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# Results are collected in a file, so that one failure does not hide the next: "status seconds name", a line each.
if [ -z "${RESULTS:-}" ]; then
  RESULTS=$WORK/results
  RESULTS_OWNER=1
  export RESULTS
fi

# check NAME COMMAND...: runs the command under a header and notes how it went.
check() {
  local name=$1 begin=$SECONDS status=passed code
  shift
  printf '\n=== %s\n' "$name"
  # A shell of its own, and neither "if" nor "||" around it: in those set -e is off, and a failing line in the middle
  # would go unseen.
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

# skip NAME WHY: notes a check that this machine cannot run. In CI that is a failure: a check that silently stopped
# running is worse than none.
skip() {
  local status=skipped
  if [ -n "${CI:-}" ]; then status=failed; fi
  printf '\n=== %s\n%s\n--- %s: %s\n' "$1" "$2" "$status" "$1"
  printf '%s 0 %s\n' "$status" "$1" >>"$RESULTS"
}

# count STATUS: how many checks ended so.
count() { grep -c "^$1 " "$RESULTS" || true; }

# finish: what a script ends with. Run by itself it prints the summary; under .ci/run that is left to run.
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
    # From an empty folder: nothing of this module may have a say in what the tool is built with.
    (cd / && GOFLAGS='' GOWORK=off GOBIN=$dir.new go install "$1") >&2
    rm -rf "$dir" && mv "$dir.new" "$dir"
  fi
  echo "$dir/$name"
}

# debian COMMAND PACKAGE: makes sure of a command that comes from Debian's packages; fails if it cannot.
debian() {
  command -v "$1" >/dev/null && return
  command -v apt-get >/dev/null || { echo "$1 is missing, and there is no apt-get to install $2 with"; return 1; }
  [ "$(id -u)" -eq 0 ] || { echo "$1 is missing: run as root, or first: sudo apt-get install $2"; return 1; }
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update && apt-get -q -y install "$2"
}

# modules: the folders of all modules in the tree, the root's first.
modules() {
  echo .
  find . -mindepth 2 -name go.mod -not -path './.git/*' -not -path '*/testdata/*' -printf '%h\n' | sort
}
