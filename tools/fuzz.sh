#!/usr/bin/env bash
# Fuzzes the parser of the venue's frames under AddressSanitizer and UndefinedBehaviorSanitizer:
# tools/fuzz.sh [--runs N] [--seed S] [--budget SECONDS]. The recorded frames beside the project are
# what it starts from; they are read where they are.
set -euo pipefail
cd "$(dirname "$0")/.."
shared=../shared
out=build/fuzz
mkdir -p "$out"
common=(-O2 -g -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Ibog/_core)
sanitize=(-fsanitize=address,undefined -fno-sanitize-recover=all)
gcc "${common[@]}" "${sanitize[@]}" -DFUZZ_PARSE=fuzz_parse -c tests/fuzz/parser.c -o "$out/parser.o"
gcc "${common[@]}" "${sanitize[@]}" -fsanitize-coverage=trace-pc -DFUZZ_PARSE=fuzz_parse_covered \
    -c tests/fuzz/parser.c -o "$out/covered.o"
gcc "${common[@]}" -c tests/fuzz/frames.c -o "$out/driver.o"
gcc "${sanitize[@]}" "$out/driver.o" "$out/parser.o" "$out/covered.o" -o "$out/frames"
if [ ! -d "$shared" ]; then
    echo "fuzz: no recordings in $shared, generated frames only" >&2
    [ -z "${CI:-}" ] || exit 1
    exec "$out/frames" "$@"
fi
zcat "$shared"/market-data/lighter-btc/frames.jsonl.gz | "$out/frames" "$@" - \
    "$shared"/market-data/lighter-frames/*.json "$shared"/lighter-samples/{ws,captured,rest}/*.json
