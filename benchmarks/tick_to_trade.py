"""Every figure of speed in one run: `make bench`. Prints a table; `--json FILE` writes it for programs.

`--only blocks,rooms` takes these sections alone. What begins with `--benchmark` goes to the rooms'
pytest-benchmark. Exit code 1 when a benchmark caught itself measuring something else than it says, or
when a ratio of the blocks is more than a tenth above the committed one of the same processor model and
compiler; `--write` makes the ratios of this run the committed ones. Nothing else is asserted: a time
belongs to a machine and its neighbors.
"""

import argparse
import json
import os
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
import start
import wake
import wire
import wire_to_wire

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


def say_crossing(_given: argparse.Namespace, report: dict[str, Any]) -> int:
    """From the feed's core to the engine's and back."""
    report["crossing"] = found = crossing.collect(report["ticks_per_ns"])
    if not found:
        print("\nOne core: nothing can cross to another one")
        return 0
    print(
        "\nFrom the feed's core to the engine's and back: latency, ns and round trips of one word\n"
        f"{'message':16}{'':12}{'p50':>8}{'p99':>8}{'p99.9':>9}{'p50':>9}{'p99':>7}  targets"
    )
    for name, one in found.items():
        cells = "".join(
            f"{one['round trip'][q]:{w}.0f}" for q, w in (("p50", 8), ("p99", 8), ("p99.9", 9))
        )
        print(f"{name:16}{'round trip':12}{cells}")
        for part in ("published", "stored", "seen"):
            if part not in one:
                continue
            cells = "".join(
                f"{one[part][q]:{w}.0f}" for q, w in (("p50", 8), ("p99", 8), ("p99.9", 9))
            )
            cells += f"{one[part]['p50 trips']:9.2f}{one[part]['p99 trips']:7.2f}"
            if part in crossing.TARGETS and name == crossing.CASES[0].name:
                low, high = crossing.TARGETS[part]
                cells += f"  {low} {high}"
            print(f"{'':16}{part:12}{cells}")
        far = f", {one['far']} windows taken anew: the cores were far apart" if one["far"] else ""
        print(f"{'':16}{one['messages']} messages{far}")
        if not one["near"]:
            print(f"{'':16}the cores stayed FAR apart: these figures are not comparable")
    return 0


def say_guide(_given: argparse.Namespace, report: dict[str, Any]) -> int:
    """The operations guide's rows under its names."""
    if "crossing" not in report:
        report["crossing"] = crossing.collect(report["ticks_per_ns"])
    rows: dict[str, Any] = {}
    samples = report["crossing"][crossing.CASES[0].name]["samples"] if report["crossing"] else {}
    print(
        "\nBy the operations guide's names: the lane's own samples of a requote, latency, ns\n"
        f"{'component':28}{'p50':>8}{'p99':>8}{'samples':>9}  target"
    )
    for name, part, target in (
        ("Huginn read", "read", 150), ("Strategy calc", "strategy", 50),
        ("Risk validation", "risk", 50), ("Orderbook sync", "book", 50),
        ("Tick-to-trade", "order_turn", 1000),
    ):  # fmt: skip
        if not samples:
            print(f"{name:28}{'-':>8}{'-':>8}{'-':>9}  < {target}")
            continue
        rows[name] = {"p50": at(samples[part], 0.5), "p99": at(samples[part], 0.99)}
        n = sum(samples[part].values())
        print(f"{name:28}{rows[name]['p50']:8}{rows[name]['p99']:8}{n:9}  < {target}")
    hot = SIZES["lane"] + SIZES["short ring"]
    sizes = {
        "OrderBook (L2)": SIZES["book"], "Position": SIZES["position"], "Signal": SIZES["signal"],
        "Total working set": hot,
    }  # fmt: skip
    report["guide"] = {"latency_ns": rows, "bytes": sizes | SIZES}
    print(f"{'size':28}{'bytes':>8}")
    for name, size in sizes.items():
        print(f"{name:28}{size:8}{'  < 10 MB' if name == 'Total working set' else ''}")
    others = (
        f"{name} {size}"
        for name, size in SIZES.items()
        if name not in ("book", "position", "signal")
    )
    print(f"of which, or beside it: {', '.join(others)}")
    return 0


def at(samples: dict[int, int], share: float) -> int:
    """Return the floor of the bucket in which this share of the samples is reached."""
    rank, seen = share * sum(samples.values()), 0
    for floor, n in sorted(samples.items()):
        seen += n
        if seen >= rank:
            return floor
    return 0


def say_markets(_given: argparse.Namespace, report: dict[str, Any]) -> int:
    """One thread with more and more markets."""
    report["markets"] = found = markets.collect()
    print(
        "\nOne thread, many markets: time of the thread a message, lowest of"
        f" {markets.ROUNDS} rounds\n{'message':16}"
        + "".join(f"{f'{n} markets':>21}" for n in markets.COUNTS)
        + f"  at most {markets.MOST} x"
    )
    for name, by_count in found.items():
        one = next(iter(by_count.values()))
        cells = (f"{ns:.0f} ns {ns / one:.2f} x" for ns in by_count.values())
        print(f"{name:16}" + "".join(f"{cell:>21}" for cell in cells))
    return 0


def say_wire(_given: argparse.Namespace, report: dict[str, Any]) -> int:
    """From a socket to a command."""
    if len(os.sched_getaffinity(0)) < 2:
        print("\nOne core: a feed and an engine that spins do not fit on it")
        return 0
    report["wire"] = found = wire.measure()
    print(
        "\nFrom a frame given to a local socket to the command stored: bog-feed, ring, engine; latency\n"
        f"requote both: p50 {found['p50'] / 1e3:.1f} us, p99 {found['p99'] / 1e3:.1f} us,"
        f" {wire.MESSAGES} frames"
    )
    return 0


def say_wire_to_wire(_given: argparse.Namespace, report: dict[str, Any]) -> int:
    """From a socket to a signed order on another, beside the official SDK."""
    if len(os.sched_getaffinity(0)) < 2:
        print("\nOne core: a feed, a gateway and an engine that spins do not fit on it")
        return 0
    report["wire to wire"] = found = wire_to_wire.measure()
    whole = found["whole"]
    print(
        "\nFrom a frame given to a local socket to the signed order on another: bog-feed, ring,"
        f" engine, gateway; latency, us\n{'':24}{'p50':>9}{'p99':>9}\n"
        f"{'bog':24}{whole['p50'] / 1e3:9.1f}{whole['p99'] / 1e3:9.1f}"
        f"  {found['frames']} frames, each with one order that is verified; target 60"
    )
    for name, one in found["stages"].items():
        share = one["p50"] / found["stamped"]["p50"]
        print(f"  {name:22}{one['p50'] / 1e3:9.1f}{one['p99'] / 1e3:9.1f}  {share:5.0%}")
    others = {name: one for name, one in found.items() if name.startswith("official")}
    for name, one in others.items():
        print(
            f"{name:24}{one['p50'] / 1e3:9.1f}{one['p99'] / 1e3:9.1f}  {one['times']:.1f} times bog's"
            f" p50, target {wire_to_wire.TIMES}"
        )
    if not others:
        print("lighter-sdk is not installed: no official path in this run")
    return 0


def say_wake(_given: argparse.Namespace, report: dict[str, Any]) -> int:
    """What a sleeping core costs."""
    report["wake"] = found = wake.measure()
    if "refused" in found or not found:
        print(f"\nCores that sleep: not measured, {found.get('refused', 'there is one core')}")
        return 0
    print(f"\nTo a process that waits on another core, and back, by pipes; latency, us\n{'':24}"
          f"{'p50':>9}{'p99':>9}")  # fmt: skip
    for name, one in found.items():
        print(f"{name:24}{one['p50'] / 1e3:9.1f}{one['p99'] / 1e3:9.1f}")
    return 0


def say_start(_given: argparse.Namespace, report: dict[str, Any]) -> int:
    """How soon bog-live quotes, and what it holds."""
    report["start"] = found = start.measure()
    print(f"\nThe start of bog-live, best of {start.ROUNDS}, without its warm-up")
    for name, value in found.items():
        unit, target = ("MB" if name in start.MEMORY else "s"), start.TARGETS.get(name)
        print(f"{name:28}{value:8.3f} {unit}" + (f"  target {target:g}" if target else ""))
    return 0


SECTIONS: dict[str, Section] = {
    "blocks": say_blocks, "crossing": say_crossing, "guide": say_guide, "markets": say_markets,
    "wire": say_wire, "wire-to-wire": say_wire_to_wire, "wake": say_wake, "start": say_start,
    "rooms": say_rooms,
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
