#!/usr/bin/env bash
# Boots a systemd of its own (systemd-nspawn, over a throw-away overlay of this host) with the units of
# deploy/, and looks whether they do what docs/operations.md says: on paper, and live against
# bog-exchange. Needs root and the Debian package systemd-container; changes nothing on this host.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD python=$(readlink -f .venv/bin/python)
say() { printf 'units: %s\n' "$*" >&2; }
[ "$(id -u)" = 0 ] || { say "want root"; exit 1; }
command -v systemd-nspawn >/dev/null || { say "no systemd-nspawn: apt-get install systemd-container"; exit 1; }
# the mounts below are this process's alone, and go with it
[ "${1:-}" = inside ] || exec unshare --mount "$here/tools/units.sh" inside

mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/overlay /mnt/out
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/overlay
root=/mnt/overlay bog=/mnt/overlay/usr/local/lib/bog version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
packages=$bog/lib/$version/site-packages
# the checkout and its interpreter, where ProtectHome= does not hide them
rm -rf "$bog"
mkdir -p "$bog/bin" "$packages" "$root/etc/bog/keys" "$root/usr/local/lib/bog-python" "$root/usr/local/lib/bog-checkout"
cp "$(dirname "$(dirname "$python")")"/lib/libpython3*.so* "$root/usr/local/lib/" 2>/dev/null && ldconfig -r "$root"
ln -s "/usr/local/lib/bog-python/bin/$(basename "$python")" "$bog/bin/python"
printf 'home = /usr/local/lib/bog-python/bin\ninclude-system-site-packages = false\n' >"$bog/pyvenv.cfg"
printf '/usr/local/lib/bog-checkout%s\n' "" "/.venv/lib/$version/site-packages" >"$packages/bog.pth"
for name in live feed doctor ctl arm exchange; do
    printf '#!/usr/local/lib/bog/bin/python\nfrom bog.cli.%s import main\nmain()\n' "$name" >"$bog/bin/bog-$name"
    chmod 755 "$bog/bin/bog-$name"
done
install -m 644 deploy/systemd/*.service "$root/etc/systemd/system/"
install -m 644 deploy/sysusers.d/bog.conf "$root/usr/lib/sysusers.d/"
rm -f "$root"/etc/systemd/system/multi-user.target.wants/*
cat >"$root/etc/systemd/system/proof.service" <<'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/bash /usr/local/lib/bog-checkout/tools/units_inside.sh
ExecStopPost=/usr/bin/systemctl --no-block poweroff
[Install]
WantedBy=multi-user.target
UNIT
ln -s /etc/systemd/system/proof.service "$root/etc/systemd/system/multi-user.target.wants/"
ln -sfn /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
say "booting; it takes a minute"
timeout 400 systemd-nspawn --quiet --directory="$root" --machine=bog-units --register=no --keep-unit \
    --private-network --capability=all --bind=/mnt/out:/out --bind-ro="$here:/usr/local/lib/bog-checkout" \
    --bind-ro="$(dirname "$(dirname "$python")"):/usr/local/lib/bog-python" \
    /lib/systemd/systemd --show-status=no >/mnt/out/boot.txt 2>&1 || true
cat /mnt/out/said.txt 2>/dev/null || cat /mnt/out/boot.txt
[ -e /mnt/out/passed ] || { tail -n 40 /mnt/out/journal.txt 2>/dev/null; say "failed"; exit 1; }
