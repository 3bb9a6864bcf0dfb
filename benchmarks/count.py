"""Exact instructions a turn, by callgrind: `make count`. A busy machine does not change them.

A turn is what the loop does with one event after the market's rows: the step, then each record
sealed and stored in the journal; commands are stored by the step. Each scenario is played in a fresh
Python under valgrind, collecting only inside that function. A turn over its target is said so; the exit
code is 1 only when a turn gives other commands or refusals than its name says.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scenarios import SCENARIOS, play

TURNS = 32


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


def main() -> int:
    """Print one line a scenario."""
    if "--play" in sys.argv:
        for scenario in SCENARIOS:
            play(scenario, TURNS)
        return 0
    if shutil.which("valgrind") is None:
        print("count: valgrind is not installed, so nothing was counted (apt-get install valgrind)")
        return 1 if os.environ.get("CI") else 0
    with tempfile.TemporaryDirectory() as folder:
        found = counts(Path(folder))
    if len(found) != len(SCENARIOS):
        sys.exit(f"count: {len(found)} counts for {len(SCENARIOS)} scenarios")
    print(f"{'turn':24}{'instructions':>14}{'target':>8}  commands")
    for scenario, total in zip(SCENARIOS, found, strict=True):
        each = total / TURNS
        target = "-" if scenario.target is None else str(scenario.target)
        late = scenario.target is not None and each > scenario.target
        print(
            f"{scenario.name:24}{each:14.1f}{target:>8}  {scenario.commands}"
            f"{'  over its target' if late else ''}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
