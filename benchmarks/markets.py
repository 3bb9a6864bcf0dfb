"""What an event costs while one thread turns over 1 to 256 markets: `python benchmarks/markets.py`.

Each market has its engine and its journal, and they take their turns one after the other, so that a
turn finds in the nearest cache only what 255 others have left there. Blocks beside the reference
kernel, as in blocks.py, with the same checks. A requote's round of one market would be mostly the clock
that times it, so it begins with eight. What the loop needs to find the lane is timed by
benchmarks/bench_lanes.py, with everything else that a lane does.
"""

import json
import sys

from blocks import CASES, REFERENCES, Cheat, quoting

from bog._core.bench import Blocks
from bog._core.types import Verdict

COUNTS = {"hold": (1, 8, 64, 256), "requote both": (8, 64, 256)}
PAIRS = 500
TURNS = 512
MOST = 1.5  # times the cost of the fewest


def measure(name: str, engines: int) -> float:
    """Return the ticks of a turn over those of a reference, each the lowest of its blocks."""
    (case,) = (case for case in CASES if case.name == name)
    blocks = Blocks(quoting(case.book).image(), case.book(case.first), case.book(10_000), engines)
    loud = case.commands > 0
    blocks.pairs(4, loud, REFERENCES, TURNS)
    before = blocks.commands
    found = blocks.pairs(PAIRS, loud, REFERENCES, TURNS)
    wanted = case.commands * PAIRS * TURNS
    if blocks.commands - before != wanted:
        raise Cheat(f"{name}, {engines} markets: {blocks.commands - before} commands, not {wanted}")
    refused = sum(blocks.denied()) - blocks.denied()[Verdict.ALLOW]
    if refused:
        raise Cheat(f"{name}, {engines} markets: {refused} quotes were refused")
    reference = min(r for r, _ in found) / REFERENCES
    return min(t for _, t in found) / TURNS / reference


def collect(rounds: int = 3) -> dict[str, dict[str, float]]:
    """Return for each case its ratio by the number of markets, the lowest of some rounds."""
    found: dict[str, dict[str, float]] = {}
    for name, counts in COUNTS.items():
        # round by round, so that a busy neighbor meets each count alike
        tries = [{n: measure(name, n) for n in counts} for _ in range(rounds)]
        found[name] = {str(n): min(one[n] for one in tries) for n in counts}
    return found


if __name__ == "__main__":
    json.dump(collect(), sys.stdout, indent=1)
