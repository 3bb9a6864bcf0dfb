"""Scripts of orders for bog-backtest: read strictly, run, and written back as fills."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bog._core.backtest import Backtest
from bog.errors import UsageError
from bog.units import PX_MAX, QTY_MAX

if TYPE_CHECKING:
    from bog._core.backtest import Counts
    from bog._core.source import Source

HEADER = "time_ns,action,order,side,price,size,latency_ns"
FILLS_HEADER = "time_ns,order,side,price,size,reason"
SIDES = ("b", "a")
NS_MAX = 1 << 61
FAULTS_SHOWN = 20


class ScriptError(UsageError):
    """A script with faults; `faults` has one line for each, in the order of the file."""

    def __init__(self, path: str, faults: list[str]) -> None:
        self.faults = [f"{path}: {fault}" for fault in faults]
        super().__init__(f"{path}: {len(faults)} fault{'s' * (len(faults) != 1)} in the script")


@dataclass(frozen=True)
class Action:
    """One line of a script. side, px and qty are None for a cancel; times in ns."""

    line: int
    time_ns: int
    order: str
    side: int | None
    px: int | None
    qty: int | None
    latency_ns: int

    @property
    def effective_ns(self) -> int:
        """The action takes effect before the first row received at or after this."""
        return self.time_ns + self.latency_ns


def whole(
    faults: list[str], line: int, column: str, text: str, least: int, most: int, unit: str
) -> int:
    """Return the whole number in `text`; note a fault and return `least` when it is none in range.

    Only digits count: no sign, no blank, no decimal point.
    """
    if text.isascii() and text.isdigit() and least <= (value := int(text[:40])) <= most:
        return value
    faults.append(
        f"line {line}: {column} is {text!r}, must be a whole number of {unit} "
        f"from {least} to {most}"
    )
    return least


def read_line(line: int, text: str, faults: list[str]) -> Action | None:
    """Return the action of one line; note every fault of it, and return None when it has any."""
    before = len(faults)
    cells = text.split(",")
    if len(cells) != 7:
        faults.append(f"line {line}: {text!r} has {len(cells)} columns, must have 7: {HEADER}")
        return None
    time, action, order, side_cell, price, size, latency = cells
    time_ns = whole(faults, line, "time_ns", time, 0, NS_MAX, "ns")
    latency_ns = whole(faults, line, "latency_ns", latency, 0, NS_MAX, "ns")
    if not order or order != order.strip() or '"' in order:
        faults.append(f"line {line}: order is {order!r}, must be a name without blanks or quotes")
    side = px = qty = None
    if action == "send":
        if side_cell in SIDES:
            side = SIDES.index(side_cell)
        else:
            faults.append(f"line {line}: side is {side_cell!r}, must be 'b' (bid) or 'a' (ask)")
        px = whole(faults, line, "price", price, 1, PX_MAX - 1, "ticks")
        qty = whole(faults, line, "size", size, 1, QTY_MAX - 1, "lots")
    elif action != "cancel":
        faults.append(f"line {line}: action is {action!r}, must be 'send' or 'cancel'")
    if len(faults) > before:
        return None
    return Action(line, time_ns, order, side, px, qty, latency_ns)


def read_script(path: str | Path) -> list[Action]:
    """Return the actions of a script in file order.

    Raise ScriptError with every fault, UsageError when the file cannot be read. Side, price and
    size of a cancel are not looked at. A line end of CR LF is as good as LF; a last empty line is
    none.
    """
    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name}: cannot be read: {error}") from None
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    faults: list[str] = []
    if not lines or lines[0] != HEADER:
        found = lines[0] if lines else ""
        raise ScriptError(name, [f"line 1: the header is {found!r}, must be {HEADER!r}"])
    found_actions = [read_line(n, line, faults) for n, line in enumerate(lines[1:], 2)]
    actions = [action for action in found_actions if action is not None]
    sent: dict[str, int] = {}
    for action in actions:
        if action.side is not None:
            if action.order in sent:
                faults.append(
                    f"line {action.line}: order is {action.order!r}, which line "
                    f"{sent[action.order]} sends already: every send needs its own name"
                )
            else:
                sent[action.order] = action.line
    if len(actions) == len(found_actions):
        faults += [
            f"line {action.line}: order is {action.order!r}, which no line sends: cancel an order "
            "that the script sends"
            for action in actions
            if action.side is None and action.order not in sent
        ]
    if faults:
        raise ScriptError(name, sorted(faults, key=lambda fault: int(fault.split()[1][:-1])))
    return actions


@dataclass(frozen=True)
class Fill:
    """One execution: ns, the script's order name, side 0 or 1, ticks, lots, why."""

    time_ns: int
    order: str
    side: int
    px: int
    qty: int
    reason: str


def run_script(
    source: Source,
    actions: Iterable[Action],
    model: str,
    progress: Callable[[int, int], object] | None = None,
) -> tuple[list[Fill], Counts]:
    """Replay the recording with the script's orders; return the fills in order and the counts.

    Older is what was sent earlier, then what stands earlier in the script. Raise ValueError when
    the recording is damaged.
    """
    actions = list(actions)
    sends = sorted((a for a in actions if a.side is not None), key=lambda a: (a.time_ns, a.line))
    number = {action.order: n for n, action in enumerate(sends)}
    backtest = Backtest(
        [(a.side or 0, a.px or 0, a.qty or 0, a.effective_ns, a.line) for a in sends],
        [(number[a.order], a.effective_ns, a.line) for a in actions if a.side is None],
        model,
    )
    fills = [
        Fill(time_ns, sends[n].order, sends[n].side or 0, px, qty, reason)
        for time_ns, n, px, qty, reason in backtest.run(source, progress)
    ]
    return fills, backtest.counts()


def write_fills(path: str | Path, fills: Iterable[Fill]) -> None:
    """Write the fills as CSV, whole or not at all; raise UsageError when that cannot be done."""
    part = f"{path}.part"
    try:
        with Path(part).open("w", encoding="utf-8", newline="\n") as out:
            out.write(FILLS_HEADER + "\n")
            for f in fills:
                out.write(f"{f.time_ns},{f.order},{SIDES[f.side]},{f.px},{f.qty},{f.reason}\n")
        os.replace(part, path)
    except OSError as error:
        Path(part).unlink(missing_ok=True)
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
