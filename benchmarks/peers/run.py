"""bog and its peers over the same turns, in one run: `make peers`.

Makes an environment of its own for each peer under build/peers, once, from the package index; then runs
one program after the other, round by round, and prints one table. What each figure holds and
leaves out is in docs/performance.md.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from host import cpu

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PLACE = ROOT / "build" / "peers"
PEERS = {"hftbacktest": "hftbacktest>=2.4,<2.5", "nautilus": "nautilus_trader>=1.221,<1.222"}
PASSES = 2  # of every program; the least of all counts


def fail(text: str) -> None:
    sys.exit(f"peers: {text}")


def environment(name: str, wanted: str) -> Path:
    """Return the interpreter of a peer's environment, made when it is not there."""
    folder = PLACE / name
    python, stamp = folder / "bin" / "python", folder / "wanted"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"peers: installing {wanted} into {folder.relative_to(ROOT)}", file=sys.stderr)
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "-q", "--only-binary", ":all:", wanted],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            why = next((s for s in done.stderr.splitlines() if s.startswith("ERROR")), "no reason")
            fail(f"{wanted} cannot be installed ({why}): want a package index that has it")
    stamp.write_text(wanted)
    return python


def play(python: Path, program: str) -> list[dict[str, object]]:
    """Run one program; return its lines, or end when it did not do what it is timed for."""
    paths = os.pathsep.join(map(str, (HERE, HERE.parent, ROOT)))
    done = subprocess.run(
        [str(python), str(HERE / program)], env=os.environ | {"PYTHONPATH": paths},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        fail(f"{program}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def main() -> None:
    programs = {"bog_turns.py": Path(sys.executable)}
    for name, wanted in PEERS.items():
        programs[f"{name}_turns.py"] = environment(name, wanted)
    least: dict[str, dict[str, float]] = {}
    versions = {}
    for _ in range(PASSES):
        for program, python in programs.items():
            for line in play(python, program):
                who, turn, ns = str(line["who"]), str(line["turn"]), float(str(line["ns"]))
                versions[who] = line["version"]
                row = least.setdefault(who, {})
                row[turn] = min(row.get(turn, ns), ns)
    print(f"{cpu()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python "
          f"{platform.python_version()}; least of {PASSES} passes, ns a turn")  # fmt: skip
    turns = list(next(iter(least.values())))
    print(f"{'':28}" + "".join(f"{turn:>16}" for turn in turns))
    for who, row in least.items():
        label = f"{who} {versions[who]}"
        print(f"{label:28}" + "".join(f"{row[turn]:16,.0f}" for turn in turns))


if __name__ == "__main__":
    main()
