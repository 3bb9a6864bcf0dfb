"""Every figure of speed in one run: `make bench`. Prints a table; `--json FILE` writes it for programs.

`--only blocks,rooms` takes these sections alone. What begins with `--benchmark` goes to the rooms'
pytest-benchmark. Exit code 1 when a benchmark caught itself measuring something else than it says, or
when a ratio of the blocks is more than a tenth above the committed one of the same processor model and
compiler; `--write` makes the ratios of this run the committed ones. Nothing else is asserted: a time
belongs to a machine and its neighbors.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import blocks
import crossing
import host
import markets

from bog._core.bench import SIZES

ROOT = Path(__file__).resolve().parents[1]
Section = Callable[[argparse.Namespace, dict[str, Any]], int]


def say_blocks(given: argparse.Namespace, report: dict[str, Any]) -> int:
    """Turns in one process, beside the reference kernel."""
    found = blocks.collect(given.processes, given.pairs)
    report["blocks"] = found
    print(
        f"\nA turn in one process: throughput, lowest of {given.processes} x {given.pairs} blocks of"
        f" {blocks.TURNS}\n{'turn':28}{'ns':>8}{'target':>8}{'ratio':>9}{'baseline':>10}"
        f"{'ratio p5':>10}  commands"
    )
    known = host.baseline()
    ratios = {name: one["ratio"] for name, one in found.items()}
    for case in blocks.CASES:
        one = found[case.name]
        was = f"{known['ratios'].get(case.name, 0):.4f}" if known else "-"
        print(
            f"{case.name:28}{one['turn'] / report['ticks_per_ns']:8.1f}"
            f"{case.target_ns or '-':>8}{one['ratio']:9.4f}{was:>10}{one['ratio_p5']:10.4f}"
            f"  {case.commands}"
        )
    nanoseconds = found["hold"]["reference"] / report["ticks_per_ns"]
    print(f"reference {nanoseconds:.1f} ns; {len(blocks.PROOFS)} checks of the gate refused first")
    if given.write:
        path = host.baseline_path()
        path.parent.mkdir(exist_ok=True)
        rounded = {name: round(ratio, 4) for name, ratio in ratios.items()}
        table = {"cpu": host.cpu(), "compiler": host.compiler(), "ratios": rounded}
        path.write_text(json.dumps(table, indent=2) + "\n")
        return 0
    if known is None:
        print(f"no baseline for this CPU and compiler: {host.cpu()}; {host.compiler()}")
        return 0
    late = blocks.slower(known["ratios"], ratios)
    for line in late:
        print(f"bench: {line}")
    return 1 if late else 0


def say_rooms(given: argparse.Namespace, report: dict[str, Any]) -> int:
    """Every room under pytest-benchmark."""
    print("\nThe rooms: throughput", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rooms.json"
        command = [
            sys.executable, "-m", "pytest", "benchmarks", "-p", "no:xdist", "--benchmark-only",
            "--benchmark-columns=min,median,rounds", f"--benchmark-json={out}",
            "--override-ini", "python_files=bench_*.py", *given.rest,
        ]  # fmt: skip
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        if out.exists():
            report["rooms"] = {
                one["fullname"].partition("benchmarks/")[2]: {
                    "min_ns": one["stats"]["min"] * 1e9, "median_ns": one["stats"]["median"] * 1e9,
                }
                for one in json.loads(out.read_text())["benchmarks"]
            }  # fmt: skip
    return code


def say_markets(_given: argparse.Namespace, report: dict[str, Any]) -> int:
    """One thread with more and more markets."""
    report["markets"] = found = markets.collect()
    print(
        f"\nOne thread, many markets: throughput, at most {markets.MOST} times the fewest is meant"
    )
    for name, by_count in found.items():
        first = next(iter(by_count.values()))
        cells = [f"{n}: {ratio:.4f} ({ratio / first:.2f} x)" for n, ratio in by_count.items()]
        print(f"{name:28}ratio by markets  {'  '.join(cells)}")
    return 0


def say_crossing(_given: argparse.Namespace, report: dict[str, Any]) -> int:
    """From the feed's process to the engine's and back."""
    report["crossing"] = found = crossing.collect(report["ticks_per_ns"])
    if not found:
        print("\nOne core: nothing can cross to another one")
        return 0
    print(
        f"\nFrom the feed's core to the engine's and back: latency, {crossing.PUBLISHES} messages, in ns"
        " and in round trips of one word\n"
        f"{'way':26}{'':20}{'p50':>8}{'p99':>8}{'p99.9':>9}{'p50':>8}{'p99':>7}  target"
    )
    for name, one in found.items():
        trips = one["round trip"]["before"], one["round trip"]["after"]
        shown = " / ".join(f"{trip['p50']:.0f}" for trip in trips)
        mode = "near" if one["near"] else "FAR: not comparable"
        print(f"{name:26}round trip {shown} ns before / after, {mode}")
        for part in ("publisher", "stored", "seen", "given to stored", "given to seen"):
            if part not in one:
                continue
            cells = "".join(
                f"{one[part][q]:{w}.0f}" for q, w in (("p50", 8), ("p99", 8), ("p99.9", 9))
            )
            if part in crossing.TARGETS:
                low, high = crossing.TARGETS[part]
                cells += f"{one[part]['p50 trips']:8.2f}{one[part]['p99 trips']:7.2f}  {low} {high}"
            print(f"{'':26}{part:20}{cells}")
    say_names(found)
    return 0


def say_names(found: dict[str, Any]) -> None:
    """Print what was found under the names of the operations guide, with its targets."""
    samples = found["lane, requote both"]["samples"]
    print(
        "\nBy the operations guide's names: the lane's own samples, latency, floor of their bucket"
    )
    print(f"{'component':28}{'p50':>8}{'p99':>8}  target")
    for name, part, target in (
        ("Huginn read", "read", "< 150 ns"), ("Strategy calc", "strategy", "< 50 ns"),
        ("Risk validation", "risk", "< 50 ns"), ("Orderbook sync", "book", "< 50 ns"),
        ("Tick-to-trade", "order_turn", "< 1 us"),
    ):  # fmt: skip
        print(f"{name:28}{at(samples[part], 0.5):8}{at(samples[part], 0.99):8}  {target}")
    print("sizes in bytes, hot data is to stay below 10 MB:")
    for name, size in SIZES.items():
        print(f"{name:28}{size:8}")


def at(samples: dict[int, int], share: float) -> int:
    """Return the floor of the bucket in which this share of the samples is reached."""
    rank, seen = share * sum(samples.values()), 0
    for floor, n in sorted(samples.items()):
        seen += n
        if seen >= rank:
            return floor
    return 0


SECTIONS: dict[str, Section] = {
    "blocks": say_blocks, "markets": say_markets, "crossing": say_crossing, "rooms": say_rooms,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--json", type=Path, help="write everything here, too")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, by comma")
    parser.add_argument("--write", action="store_true", help="make the ratios the committed ones")
    parser.add_argument("--pairs", type=int, default=blocks.PAIRS)
    parser.add_argument("--processes", type=int, default=blocks.PROCESSES)
    given, given.rest = parser.parse_known_args()
    wanted = given.only.split(",")
    if unknown := [name for name in wanted if name not in SECTIONS]:
        parser.error(f"--only {unknown[0]}: want some of {', '.join(SECTIONS)}")
    if strange := [word for word in given.rest if not word.startswith("--benchmark")]:
        parser.error(f"unknown argument {strange[0]!r}")
    report: dict[str, Any] = {"host": host.facts(), "ticks_per_ns": host.ticks_per_ns()}
    for name, text in report["host"].items():
        print(f"{name:10}{text}")
    code = 0
    for name in wanted:
        code = max(code, SECTIONS[name](given, report))
        sys.stdout.flush()
    if given.json:
        given.json.write_text(json.dumps(report, indent=1) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
