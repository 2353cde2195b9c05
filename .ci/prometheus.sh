# shellcheck shell=bash
# Prometheus with the alerts. .ci/prometheus and .ci/walk use it.

ALERTS=deploy/prometheus

PROMETHEUS_AT=127.0.0.1:19091

# prometheus_config RULES JOB=ADDRESS...: writes the configuration of a server that reads some addresses each second.
prometheus_config() {
  local job
  {
    printf 'global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%s]\nscrape_configs:\n' "$1"
    for job in "${@:2}"; do printf '  - {job_name: %s, static_configs: [{targets: ["%s"]}]}\n' "${job%%=*}" "${job#*=}"; done
  } >"$WORK/prometheus.yml"
  promtool check config "$WORK/prometheus.yml"
}

# prometheus_start: starts the server. Each start has data of its own, so that no series of an earlier one is read.
prometheus_start() {
  prometheus --config.file="$WORK/prometheus.yml" --storage.tsdb.path="$(mktemp -d -p "$WORK")" --web.listen-address="$PROMETHEUS_AT" \
    >"$WORK/prometheus.log" 2>&1 &
  echo $! >"$WORK/prometheus.pid"
}

# evaluated: the server has evaluated every alert, without an error.
evaluated() {
  [ "$(curl -fsS "http://$PROMETHEUS_AT/api/v1/rules" | grep -o '"health":"[a-z]*"' | sort | uniq -c | tr -s ' ')" = \
    " $(grep -c 'alert:' "$ALERTS/alerts.yaml") \"health\":\"ok\"" ]
}

# scraped EXPRESSION: asks the server for the value of an expression. It prints nothing if there is none.
scraped() {
  curl -fsS --get --data-urlencode "query=$1" "http://$PROMETHEUS_AT/api/v1/query" | sed -nE 's/.*"value":\[[^,]*,"([^"]*)"\].*/\1/p'
}

# within SECONDS COMMAND...: tries until the command succeeds.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    if [ "$SECONDS" -ge "$end" ]; then echo "not within the time: $*"; return 1; fi
    sleep 0.2
  done
}

has() { [ -n "$(scraped "$1")" ]; }
