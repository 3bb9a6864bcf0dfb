#!/usr/bin/env bash
# What tools/units.sh runs under its systemd: a line for each thing that holds; the first that does not
# ends it.
set -uo pipefail
exec >/out/said.txt 2>&1
bin=/usr/local/lib/bog/bin state=/var/lib/bog/live-1
trap 'journalctl --no-pager -u bog-feed@1 -u bog-live@1 >/out/journal.txt' EXIT
shows() { systemctl show "$1" -p "$2" --value; }
# WORDS COMMAND...: wait a minute for it to be so
holds() {
    local words=$1 i
    shift
    for ((i = 0; i < 240; i++)); do
        if "$@" >/dev/null 2>&1; then echo "ok    $words"; return; fi
        sleep 0.25
    done
    echo "FAIL  $words: $*"
    exit 1
}
is() { [ "$(shows "$1" "$2")" = "$3" ]; }
asks() { "$bin/bog-ctl" --journal "$journal" status | grep -q "$1"; }
not_logged() { ! journalctl --no-pager -u bog-live@1 | grep -q "$1"; }
none() { ! pgrep -f 'bog.run|bog.lighter.gateway'; }
in_unit() {
    systemd-run --quiet --pipe --wait --uid=bog --gid=bog \
        -p LoadCredential=quoting:/etc/bog/keys/quoting -p LoadCredential=guardian:/etc/bog/keys/guardian \
        -p StateDirectory=bog/live-1 -p StateDirectoryMode=0700 -p WorkingDirectory="$state" \
        -p LimitMEMLOCK=infinity -p LimitRTPRIO=1 "$@"
}

journal=$state/var/journal
echo SOURCE=sim >/etc/bog/feed-1.env
systemctl start bog-live@1
holds "a bot that starts with its feed trades on paper" asks "level       RUN"
holds "at its first start, for the feed was there" is bog-live@1 NRestarts 0
holds "feed and bot are user bog" test "$(stat -c %U /dev/shm/hg_m1000001 $journal | uniq)" = bog
pkill -KILL -x bog-engine
holds "a killed engine ends the bot with 1, and it is started again" is bog-live@1 NRestarts 1
holds "and trades" asks "level       RUN"
systemctl stop bog-live@1
holds "a stop drains: exit code 0" is bog-live@1 Result success
holds "and leaves the feed's ring in shared memory" test -e /dev/shm/hg_m1000001
echo BOG_RISK__MAX_POSITIO=1 >/etc/bog/live-1.env
systemctl start bog-live@1
holds "a refused configuration stays down" is bog-live@1 ActiveState failed
holds "with exit code 78" is bog-live@1 ExecMainStatus 78
echo 'OPTIONS=--markt 1' >/etc/bog/live-1.env
systemctl start bog-live@1
holds "a wrong command line stays down" is bog-live@1 ExecMainStatus 2
rm /etc/bog/live-1.env
systemctl start bog-live@1
holds "a bot is there for the emergency stop" asks "level       RUN"
systemctl kill --kill-whom=main -s USR1 bog-live@1
holds "after which it stays down" is bog-live@1 ActiveState inactive
systemctl start bog-live@1
holds "one that is started on a halt shows it" asks "KILLED"
systemctl stop bog-live@1 bog-feed@1

# live, on an exchange of this machine
mkdir -p /var/lib/bog/exchange
chown bog:bog /var/lib/bog/exchange
cd /var/lib/bog/exchange
runuser -u bog -- "$bin/bog-exchange" --market 1 --account 1000 --flow sim >/out/exchange.txt &
holds "an exchange is there" grep -q url /out/exchange.txt
install -m 600 var/exchange/keys/1000-4.key /etc/bog/keys/quoting
install -m 600 var/exchange/keys/1000-5.key /etc/bog/keys/guardian
sed -e 's#^\(quoting\|guardian\)_credential.*#\1_credential = "\1"#; s#^source = .*#source = "huginn"#' \
    -e 's#^directory = .*#directory = "var/live"#' /usr/local/lib/bog-checkout/configs/rehearsal.toml >/etc/bog/live.toml
journal=$state/var/live
printf 'BOG_FEED__LIGHTER__%s\n' URL=ws://127.0.0.1:7300/stream REST_URL=http://127.0.0.1:7300 >/etc/bog/feed-1.env
echo CONFIG=/etc/bog/live.toml >/etc/bog/live-1.env
mkdir -p /run/bog /etc/systemd/system/bog-live@1.service.d
printf '[Service]\n' >/etc/systemd/system/bog-live@1.service.d/keys.conf
printf 'LoadCredential=%s\n' quoting:/etc/bog/keys/quoting guardian:/etc/bog/keys/guardian \
    >>/etc/systemd/system/bog-live@1.service.d/keys.conf
systemctl daemon-reload
systemctl start bog-feed@1
arm() {
    echo 1000 | in_unit "$bin/bog-arm" --market 1 --config /etc/bog/live.toml >/out/arm.txt
    echo "ARMED=--mode live --arm $(tail -n 1 /out/arm.txt)" >/run/bog/live-1.env
    systemctl reset-failed bog-live@1 2>/dev/null
    systemctl start bog-live@1
}
equal() { in_unit "$bin/bog-live" --market 1 --config /etc/bog/live.toml --mode live --reconcile-only; }
rests_nothing() { equal | grep -q 'orders: 0 of ours rest'; }
in_unit "$bin/bog-doctor" --market 1 --config /etc/bog/live.toml --json >/out/doctor.json
holds "bog-doctor sees both credentials" test "$(grep -o '"credential", "state": "ok"' /out/doctor.json | wc -l)" = 2
arm
holds "a bot that bog-arm has armed in another unit trades live" asks "gateway     up"
pkill -KILL -x bog-gateway
holds "a killed gateway is replaced" asks "start 2"
holds "and the bot is the same one" is bog-live@1 NRestarts 0
holds "and quotes" asks resting
systemctl kill --kill-whom=main -s KILL bog-live@1
holds "a killed bog-live leaves no process" none
holds "engine and gateway ended by themselves" not_logged "Killing process"
holds "no order rests at the venue" rests_nothing
holds "the used token starts nothing again" is bog-live@1 ExecMainStatus 78
arm
holds "armed anew it trades" asks "gateway     up"
systemctl stop bog-live@1
holds "a stop drains: exit code 0" is bog-live@1 Result success
holds "positions agree, and no fill is missing" equal
touch /out/passed
