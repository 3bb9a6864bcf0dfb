"""Exact instructions a turn, by callgrind: `make count`. A busy machine does not change them.

A turn is what the loop does with one event after the market's rows: the step, then each record
sealed and stored in the journal; commands are stored by the step. Each scenario is played in a fresh
Python under valgrind, collecting only inside that function. What is counted is a build of its own of
the engine, for x86-64-v3 (build/count): the same on every machine with the same compiler.

Exit code 1 when a turn gives other commands or refusals than its name says, or when a count is off
the committed table (counts.json) by more than 1 % and more than 3 instructions; `--write` makes the
counts of this run the table. A turn over its target is said so. Another compiler than the table's
is compared with nothing, and that is an error only where CI is set.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import bog._core

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "build" / "count" / "lib"
TABLE = Path(__file__).with_name("counts.json")
TURNS = 32


def build() -> None:
    """Compile the engine as it is counted; incremental."""
    environment = os.environ | {"BOG_ROOMS": "engine,types", "BOG_MARCH": "x86-64-v3"}
    command = [
        sys.executable, "setup.py", "-q", "build_ext", "--build-lib", str(LIBRARY),
        "--build-temp", str(LIBRARY.parent / "temp"),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"count: the build failed:\n{done.stderr[-2000:]}")


def compiler() -> str:
    """Return what decides about the counts beside the sources: the compilers' versions."""
    gcc = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True)
    cython = subprocess.run(
        [sys.executable, "-c", "import Cython; print(Cython.__version__)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return f"gcc {gcc.stdout.strip()}, Cython {cython.stdout.strip()}"


def counts(folder: Path) -> list[int]:
    """Run every scenario under callgrind; return the instructions of all turns of each."""
    command = [
        "valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*measured_turn*",
        "--dump-after=*EngineProbe*halted*",  # before and after each scenario's turns
        f"--callgrind-out-file={folder}/out", sys.executable, __file__, "--play",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"count: valgrind failed:\n{done.stderr[-2000:]}")
    parts = sorted(folder.glob("out.*"), key=lambda path: int(path.suffix[1:]))
    found = []
    for part in parts[1::2]:
        match = re.search(r"^summary: (\d+)", part.read_text(), flags=re.M)
        found.append(int(match[1]) if match else 0)
    return found


def changed(table: dict[str, float], found: dict[str, float]) -> list[str]:
    """Return one line for each turn whose count is off the table by more than 1 % and 3."""
    lines = [
        f"{name}: {table[name]:.1f} in the table, not counted" for name in table.keys() - found
    ]
    for name, now in found.items():
        if name not in table:
            lines.append(f"{name}: {now:.1f} now, not in the table")
        elif abs(now - table[name]) > max(3, table[name] / 100):
            lines.append(f"{name}: {table[name]:.1f} in the table, {now:.1f} now")
    return lines


def main() -> int:
    """Print one line a scenario, and what is off the table."""
    from scenarios import SCENARIOS, play

    if "--play" in sys.argv:
        for scenario in SCENARIOS:
            play(scenario, TURNS)
        return 0
    if shutil.which("valgrind") is None:
        print("count: valgrind is not installed, so nothing was counted (apt-get install valgrind)")
        return 1 if os.environ.get("CI") else 0
    build()
    with tempfile.TemporaryDirectory() as folder:
        totals = counts(Path(folder))
    if len(totals) != len(SCENARIOS):
        sys.exit(f"count: {len(totals)} counts for {len(SCENARIOS)} scenarios")
    found = {s.name: total / TURNS for s, total in zip(SCENARIOS, totals, strict=True)}
    print(f"{'turn':28}{'instructions':>14}{'target':>8}  commands")
    for scenario in SCENARIOS:
        target = "-" if scenario.target is None else str(scenario.target)
        late = scenario.target is not None and found[scenario.name] > scenario.target
        print(
            f"{scenario.name:28}{found[scenario.name]:14.1f}{target:>8}  {scenario.commands}"
            f"{'  over its target' if late else ''}"
        )
    if "--write" in sys.argv:
        TABLE.write_text(json.dumps({"compiler": compiler(), "turns": found}, indent=2) + "\n")
        return 0
    table = json.loads(TABLE.read_text())
    if table["compiler"] != compiler():
        print(f"count: the table is of {table['compiler']}, this is {compiler()}: not compared")
        return 1 if os.environ.get("CI") else 0
    off = changed(table["turns"], found)
    for line in off:
        print(f"count: {line}")
    return 1 if off else 0


if __name__ == "__main__":
    if "--play" in sys.argv:
        bog._core.__path__.insert(0, str(LIBRARY / "bog" / "_core"))
    sys.exit(main())
