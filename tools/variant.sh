#!/usr/bin/env bash
# Runs tests on another build of the core: tools/variant.sh trace|asan|ubsan TESTS... [pytest options]
# The build lives in build/VARIANT with a copy of the Python files, so that it never mixes with .venv's.
set -euo pipefail
cd "$(dirname "$0")/.."
variant=$1
shift
BOG_BUILD=$variant .venv/bin/python setup.py -q build --build-lib "build/$variant" >"build/$variant.log" 2>&1 ||
    { tail -n 40 "build/$variant.log" >&2; exit 1; }
export PYTHONSAFEPATH=1 PYTHONPATH=$PWD/build/$variant BOG_VARIANT=$variant PYTHONDONTWRITEBYTECODE=1
run=(.venv/bin/python -m pytest -o "pythonpath=build/$variant tests/.." -p no:benchmark)
case $variant in
asan)
    export LD_PRELOAD="$(gcc -print-file-name=libasan.so)" PYTHONMALLOC=malloc
    export ASAN_OPTIONS=detect_leaks=0:handle_segv=0:allocator_may_return_null=1
    ;;
ubsan) export UBSAN_OPTIONS=print_stacktrace=1 LD_PRELOAD="$(gcc -print-file-name=libubsan.so)" ;;
trace)
    export COVERAGE_CORE=ctrace
    run=(.venv/bin/coverage run --rcfile=tools/coverage.ini -m pytest -o "pythonpath=build/$variant tests/.." -p no:benchmark)
    ;;
*) echo "variant.sh: '$variant' is not one of trace, asan, ubsan" >&2; exit 2 ;;
esac
"${run[@]}" "$@"
if [ "$variant" = trace ]; then
    unset COVERAGE_CORE
    .venv/bin/coverage report --rcfile=tools/coverage.ini
fi
