#!/usr/bin/env bash
# Runs tests on another build of the core: tools/variant.sh trace|asan|ubsan [pytest options]
# The build lives in build/VARIANT with a copy of the Python files, so that it never mixes with the
# one that `make test` uses; tests/house/test_variant.py checks that the copy is the one imported.
set -euo pipefail
cd "$(dirname "$0")/.."
variant=${1:-}
shift || true
# what finds errors of memory and arithmetic: every room, every parser, every page in shared memory,
# and a whole session; the laws that take minutes on a slow build are left to `make test`
tests=(tests/house/test_variant.py tests/core)
slow="damaged_frame or every_flipped_bit or an_hour_is_fast or memory_does_not_grow or its_band \
or rows_that_nobody_reads or another_process or no_heap"
case $variant in
asan)
    preload=$(gcc -print-file-name=libasan.so)
    export PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:handle_sigbus=0
    ;;
ubsan)
    preload=$(gcc -print-file-name=libubsan.so)
    export UBSAN_OPTIONS=print_stacktrace=1:handle_sigbus=0
    ;;
trace) preload= ;;
*)
    echo "variant.sh: '$variant' is not one of trace, asan, ubsan" >&2
    exit 2
    ;;
esac
mkdir -p build
echo "variant.sh: building build/$variant" >&2
BOG_BUILD=$variant .venv/bin/python setup.py -q build -j "$(nproc)" --build-lib "build/$variant" \
    >"build/$variant.log" 2>&1 || { tail -n 40 "build/$variant.log" >&2; exit 1; }
export BOG_VARIANT=$variant PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$PWD/build/$variant
run=(-m pytest -o "pythonpath=build/$variant ." -p no:benchmark "${tests[@]}" -k "not ($slow)")
if [ "$variant" = trace ]; then
    # the tracer that sees Cython; it is the slowest build, so the whole suite takes its time
    COVERAGE_CORE=ctrace .venv/bin/python -m coverage run --rcfile=tools/coverage.ini "${run[@]}" "$@"
    .venv/bin/python -m coverage report --rcfile=tools/coverage.ini
else
    LD_PRELOAD=$preload .venv/bin/python "${run[@]}" -n 2 --dist loadgroup "$@"
fi
