#!/usr/bin/env bash
# Installs the programs that some checks use, when this user may; each check says which it misses.
set -euo pipefail
missing=()
for pair in jq:jq tmux:tmux valgrind:valgrind ps:procps openssl:openssl promtool:prometheus \
    amtool:prometheus-alertmanager systemd-analyze:systemd; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
[ ${#missing[@]} = 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "packages: installing ${missing[*]}" >&2
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "packages: missing ${missing[*]} (install them to run every check)" >&2
    exit 1
fi
