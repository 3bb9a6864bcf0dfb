"""What changed between two runs of `make bench`: `make bench-compare A=one.json B=other.json`.

Prints every figure of both with the second over the first. Exit code 1 when a ratio of the blocks grew
by more than a tenth, 2 when a file is none of ours. Figures of two machines or compilers are printed
with a word of warning: only the ratios mean something then, and not much.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blocks import SLOWER


def figures(report: dict[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number of a report by its place."""
    for name, value in report.items():
        if isinstance(value, dict):
            yield from figures(value, f"{above}{name} / ")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield above + name, float(value)


def read(name: str) -> dict[str, Any]:
    """Return a report; SystemExit says what is wrong with a file that is none."""
    try:
        found = json.loads(Path(name).read_text())
    except (OSError, ValueError) as error:
        print(f"bench-compare: {name}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    if not isinstance(found, dict) or "host" not in found:
        print(f"bench-compare: {name}: not written by make bench --json", file=sys.stderr)
        raise SystemExit(2)
    return found


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: make bench-compare A=one.json B=other.json", file=sys.stderr)
        return 2
    a, b = read(sys.argv[1]), read(sys.argv[2])
    for name in ("cpu", "compiler", "flags"):
        if a["host"].get(name) != b["host"].get(name):
            print(f"not alike: {name}: {a['host'].get(name)} / {b['host'].get(name)}")
    for name in ("kernel", "load"):
        print(f"{name}: {a['host'].get(name)} / {b['host'].get(name)}")
    first, second = dict(figures(a)), dict(figures(b))
    print(f"{'figure':60}{'A':>12}{'B':>12}{'B / A':>8}")
    slower = []
    for name in [*first, *(n for n in second if n not in first)]:
        was, now = first.get(name), second.get(name)
        shown = [f"{value:12.4g}" if value is not None else f"{'-':>12}" for value in (was, now)]
        ratio = now / was if was and now is not None else None
        print(f"{name:60}{shown[0]}{shown[1]}" + (f"{ratio:8.3f}" if ratio is not None else ""))
        if ratio and ratio > SLOWER and name.startswith("blocks / ") and name.endswith(" / ratio"):
            slower.append(f"{name.split(' / ')[1]}: {ratio:.2f} times as long")
    for line in slower:
        print(f"bench-compare: {line}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
