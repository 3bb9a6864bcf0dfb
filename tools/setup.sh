#!/usr/bin/env bash
# Makes .venv beside the sources: an interpreter, the dependencies, the compiled core. Safe to repeat.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Install Debian packages when this user may; otherwise say which are missing.
need_packages() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing $*"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null && command -v apt-get >/dev/null; then
        say "installing $*"
        sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    else
        fail "missing system packages: $* (install them, then run this again)"
    fi
}

python=${PYTHON:-python3}
command -v "$python" >/dev/null || need_packages python3
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old: bog needs Python 3.11 or newer (set PYTHON=/path/to/python3)"
command -v gcc >/dev/null || need_packages gcc libc6-dev
if [ ! -x .venv/bin/python ]; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv
    say "creating .venv"
    "$python" -m venv .venv
fi
include=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
[ -f "$include/Python.h" ] || need_packages python3-dev

stamp=.venv/bog-dependencies
wanted=$(sha256sum pyproject.toml | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    say "installing dependencies"
    export PIP_DISABLE_PIP_VERSION_CHECK=1
    .venv/bin/python -m pip install -q "setuptools>=77" "cython>=3.3,<3.4"
    .venv/bin/python -m pip install -q --no-build-isolation -e '.[dev]'
    echo "$wanted" >"$stamp"
fi
say "compiling what changed"
log=.venv/bog-build.log
.venv/bin/python setup.py -q build_ext --inplace -j "$(nproc)" >"$log" 2>&1 || { tail -n 40 "$log" >&2; fail "the build failed; all of it is in $log"; }
say "ready"
