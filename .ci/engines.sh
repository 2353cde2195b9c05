# shellcheck shell=bash
# The engines that read the archive. .ci/engines, .ci/readers and .ci/years use them. Trino comes from Maven, the others from PyPI.
#
# It needs Go, Maven, Python 3 with venv, Java 17, and Java 24 or later. A missing engine is a failure, never a skip.

ENGINES=${XDG_CACHE_HOME:-$HOME/.cache}/houndtrail-ci/engines
JAVA_17='' JAVA_FOR_TRINO=''

# version HOME: the major version of a Java.
version() { "$1/bin/java" -version 2>&1 | sed -nE '1s/.*version "([0-9]+).*/\1/p'; }

# homes: looks for both versions of Java in the homes that CI's images and Debian's packages have.
homes() {
  local home found
  for home in "${JAVA_HOME_17_X64:-}" "${JAVA_HOME_25_X64:-}" "${JAVA_HOME:-}" /usr/lib/jvm/*; do
    [ -x "$home/bin/java" ] || continue
    found=$(version "$home")
    if [ "$found" = 17 ]; then JAVA_17=$home; fi
    if [ "${found:-0}" -ge 24 ]; then JAVA_FOR_TRINO=$home; fi
  done
  [ -n "$JAVA_17" ] || { echo "there is no Java 17: install openjdk-17-jdk-headless"; return 1; }
}

# javas: finds both versions of Java.
javas() {
  homes
  [ -n "$JAVA_FOR_TRINO" ] || { echo "there is no Java 24 or later for Trino: install Temurin 25"; return 1; }
  echo "Java for Spark: $JAVA_17; for Trino: $JAVA_FOR_TRINO"
}

# trino: unpacks the server with only the two connectors that the tests use. With all connectors, Trino takes a minute to start.
trino() {
  local artifact=${TRINO%:tar.gz} version archive
  version=${artifact##*:}
  TRINO_DIR=$ENGINES/trino-$version
  [ -d "$TRINO_DIR" ] && return
  mvn -q -B dependency:copy -Dartifact="$TRINO" -DoutputDirectory="$WORK"
  archive=$WORK/trino-server-$version.tar.gz
  rm -rf "$TRINO_DIR.new" && mkdir -p "$TRINO_DIR.new"
  tar -xzf "$archive" -C "$TRINO_DIR.new" --strip-components=1 # all of it: some of its files are links to others
  find "$TRINO_DIR.new/plugin" -mindepth 1 -maxdepth 1 ! -name hive ! -name iceberg -exec rm -r {} +
  mv "$TRINO_DIR.new" "$TRINO_DIR"
  rm "$archive"
}

# python: makes a virtual environment with Spark, ClickHouse, Arrow and DuckDB.
python() { PYTHON_DIR=$(virtual "$PYSPARK" "$CHDB" "$PYARROW" "$DUCKDB"); }

# engine PACKAGE TEST FLAG...: runs a test with all engines. A test skips an engine whose flag is missing, so the output must say
# that it passed.
engine() {
  local package=$1 test=$2
  shift 2
  javas
  trino
  python
  JAVA_HOME=$JAVA_17 CI=true go test -count=1 -timeout 3h -v -run "^$test\$" "$package" \
    -trino "$TRINO_DIR" -trino.java "$JAVA_FOR_TRINO/bin/java" -python "$PYTHON_DIR/bin/python" "$@" | tee "$WORK/$test"
  grep -q "^--- PASS: $test " "$WORK/$test" || { echo "$test did not run"; return 1; }
}

mkdir -p "$ENGINES"
