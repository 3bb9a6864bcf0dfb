#!/usr/bin/env bash
# Prometheus, Alertmanager, bog.alerts and, where it is installed, Grafana, beside a bot on this host; all
# of them on loopback. Ctrl-C ends them. The bot needs none of it and is started apart. Arguments are those
# of bog.alerts, such as --config production.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'monitor: %s\n' "$*" >&2; }

for name in prometheus prometheus-alertmanager; do
    command -v "$name" >/dev/null || tools/packages.sh || true
    command -v "$name" >/dev/null || { say "no $name: apt-get install prometheus prometheus-alertmanager"; exit 1; }
done
here=var/monitoring secrets=var/secrets
(umask 077 && mkdir -p "$here" "$secrets")
for secret in slack_url pagerduty_key; do
    [ -s "$secrets/$secret" ] || say "no $secrets/$secret (mode 0600): nothing is sent there"
done

pids=()
stop() {
    trap - EXIT INT TERM
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
    wait
}
trap stop EXIT
trap 'exit 0' INT TERM

# NAME COMMAND...: starts it; what it says is in var/monitoring/NAME.log
start() {
    local name=$1
    shift
    "$@" >>"$here/$name.log" 2>&1 &
    pids+=($!)
}

start alerts .venv/bin/python -m bog.alerts "$@"
start alertmanager prometheus-alertmanager --config.file=monitoring/alertmanager.yml \
    --web.listen-address=127.0.0.1:9093 --cluster.listen-address= --storage.path="$here/alertmanager"
start prometheus prometheus --config.file=monitoring/prometheus.yml \
    --web.listen-address=127.0.0.1:9091 --storage.tsdb.path="$here/prometheus" --storage.tsdb.retention.time=30d
shown="Prometheus http://127.0.0.1:9091, Alertmanager http://127.0.0.1:9093"

home=${GRAFANA_HOME:-/usr/share/grafana}
if command -v grafana-server >/dev/null || command -v grafana >/dev/null; then
    password=$secrets/grafana_admin
    [ -s "$password" ] || (umask 077 && head -c 18 /dev/urandom | base64 >"$password")
    server=(grafana server)
    command -v grafana >/dev/null || server=(grafana-server)
    DASHBOARDS=$PWD/monitoring/dashboards GF_PATHS_PROVISIONING=$PWD/monitoring/grafana \
        GF_PATHS_DATA=$PWD/$here/grafana GF_SECURITY_ADMIN_PASSWORD__FILE=$PWD/$password \
        start grafana "${server[@]}" --homepath "$home" --config "$PWD/monitoring/grafana.ini"
    shown+=", Grafana http://127.0.0.1:3000"
else
    say "no Grafana on this host: import monitoring/dashboards/orderbook_dashboard.json into one"
fi
say "$shown; Ctrl-C ends all"
wait -n || true
say "one of them has ended: see $here/*.log"
exit 1
