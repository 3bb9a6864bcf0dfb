"""The turns that bog and its peers are timed over; each program of this folder imports it.

A market of one level a side, two ticks wide, jumps between two mids, one message a turn. Its sizes
change with every message, so that none repeats the one before it. The strategy wants a bid and an ask
ten ticks from the mid and moves an order that is three ticks off or more, by an amend. Nothing ever
reaches the orders, so that none is filled.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

MID = 10_000  # ticks
TOUCH = 5  # lots at the best prices, and one more in every other message
ORDER = 20  # lots
HALF = 10  # ticks from the mid to a quote
OFF = 3  # ticks that an order may not be off
TURNS = 5_000
ROUNDS = 5


@dataclass(frozen=True)
class Turn:
    """A kind of turn: the mid jumps by `move` ticks and back, and so many amends must follow."""

    name: str
    move: int
    amends: int

    def books(self, turns: int) -> list[tuple[int, int]]:
        """Return mid and size of each message; with the first, at MID, both orders are placed."""
        return [(MID + self.move, TOUCH + 1) if i % 2 else (MID, TOUCH) for i in range(turns + 1)]


KINDS = [Turn("unchanged", 0, 0), Turn("hold", 1, 0), Turn("requote both", 5, 2)]


def expect(who: str, kind: Turn, what: str, counted: int, wanted: int) -> None:
    """Refuse a run that did not do what it is timed for."""
    if counted != wanted:
        sys.exit(f"{who}, {kind.name}: {counted} {what}, not {wanted}")


def best(run: Callable[[], object], prepare: Callable[[], None] | None = None) -> float:
    """Return the shortest time of some rounds of TURNS turns, in ns a turn."""
    least = float("inf")
    for _ in range(ROUNDS):
        if prepare is not None:
            prepare()
        began = time.perf_counter_ns()
        run()
        least = min(least, (time.perf_counter_ns() - began) / TURNS)
    return least


def say(who: str, version: str, kind: Turn, ns: float) -> None:
    """Print one result for `run.py`."""
    print(json.dumps({"who": who, "version": version, "turn": kind.name, "ns": ns}), flush=True)
