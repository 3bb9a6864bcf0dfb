"""Ours against the venue's: position, open orders, cash. What differs is said, with both numbers.

Pure. A difference counts only when it outlasts what may be under way, all trades were asked for after
it began, and an answer that was asked for after that shows the same one again: a fill and the position it
makes come on two channels in any order or not at all, and one word may be wrong. Where no answer about
trades comes it counts in the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from bog import units
from bog._core.types import ReportKind, Side
from bog.lighter.connection import SECOND
from bog.lighter.fate import Report

LAST_NS = 2 * SECOND
LONGEST_NS = 30 * SECOND  # though nobody has said which trades there were


class Difference(NamedTuple):
    """One thing on which we and the venue differ."""

    what: str
    market: int
    ours: int
    theirs: int

    @property
    def text(self) -> str:
        where = f" of market {self.market}" if self.market >= 0 else ""
        return f"{self.what}{where}: ours {self.ours}, the venue's {self.theirs}"


@dataclass
class Held:
    """A position as we count it and as the venue says."""

    pos: int  # at the start, and every fill since
    theirs: int
    since_ns: int = 0  # since when they differ
    rest_ns: int = 0  # when the last answer about it was asked for
    apart: int = 0  # by how much the last word differed from ours
    again: bool = False  # the last answer differed by as much as the word before it
    told: bool = False


class Books:
    """What the account holds. `begin` takes the venue's word; every fill told moves it on."""

    def __init__(self) -> None:
        self.held: dict[int, Held] = {}
        self.fills = 0
        self.fees = 0
        self.differences = 0

    def begin(self, market: int, pos: int) -> None:
        self.held[market] = Held(pos, pos)

    def told(self, report: Report) -> None:
        """A report goes to the engine."""
        if report.kind == ReportKind.REP_FILL and report.market in self.held:
            sign = 1 if report.side == Side.BID else -1
            self.held[report.market].pos += sign * report.qty
            self.fills += 1
            self.fees += report.fee

    def shown(self, market: int, pos: int, asked_ns: int = 0) -> None:
        """The venue says what a position is, of itself or because it was asked."""
        if market in self.held:
            held = self.held[market]
            apart, held.apart, held.theirs = held.apart, pos - held.pos, pos
            if asked_ns:
                held.rest_ns = max(held.rest_ns, asked_ns)
                held.again = held.apart == apart

    def compare(self, now: int, swept_ns: int) -> list[Difference]:
        """Return the differences that have just outlasted what may be under way, each once.

        All trades up to `swept_ns` have been told.
        """
        found = []
        for market, held in self.held.items():
            if held.pos == held.theirs:
                held.since_ns, held.told = 0, False
                continue
            held.since_ns = held.since_ns or now
            asked = held.rest_ns > held.since_ns and held.again
            swept = swept_ns > held.since_ns or now - held.since_ns >= LONGEST_NS
            if now - held.since_ns >= LAST_NS and asked and swept and not held.told:
                held.told = True
                self.differences += 1
                found.append(Difference("position", market, held.pos, held.theirs))
        return found

    @property
    def is_open(self) -> bool:
        """Whether a difference stands, however young: then it is asked for."""
        return any(held.pos != held.theirs for held in self.held.values())


def money(text: str) -> int:
    """Return an amount of the venue in micro-USDC."""
    return units.scaled(text, 6, "amount")
