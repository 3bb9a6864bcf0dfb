"""A session of an account of the real venue, frame by frame, through what the gateway hears with."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from bog._core.types import ReportKind, Side
from bog.lighter.asks import Asks
from bog.lighter.budget import Budget, Tier
from bog.lighter.desk import Desk, Key, Rules
from bog.lighter.fate import Fates, Report
from bog.lighter.inbox import Inbox
from bog.lighter.nonces import Nonces
from bog.lighter.once import Once
from bog.lighter.private import Private
from bog.lighter.reconcile import Books
from bog.lighter.rows import Scale
from tests.rig.signing import signer_of

Shared = Callable[[str], Path]
ACCOUNT, MARKET, RAW = 225_671, 24, 1_000_024
SESSION = "lighter-samples/captured/mainnet_2025_10_private_session.json"


class Ear:
    """The gateway's receiver with an empty desk: whatever happens, somebody else did it."""

    def __init__(self) -> None:
        rules = Rules()
        keys = [Key(name, index, signer_of(index, key_index=index), Nonces(rules.skew_ms))
                for name, index in (("trade", 4), ("guard", 5))]  # fmt: skip
        self.desk = Desk(
            rules, {RAW: Scale(MARKET, 4, 2)}, *keys, Budget(Tier(10**9, 10**9, shared=False)),
            Fates(Once(), rules.verdict_ns),
        )  # fmt: skip
        self.books, self.said = Books(), list[str]()
        self.books.begin(RAW, 0)
        machine = Private(ACCOUNT, Random(1), lambda: "token")
        self.inbox = Inbox(
            machine, Asks(self.desk, ACCOUNT), self.books, self.said.append, lambda: None
        )

    def hears(self, frame: dict[str, Any]) -> list[Report]:
        self.inbox.frame(json.dumps(frame).encode())
        reports, self.desk.fates.reports[:] = list(self.desk.fates.reports), []
        for report in reports:
            self.books.told(report)
        return reports


def as_subscribed(frame: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a captured frame by the channels that the gateway has: they split what account_all joins."""
    family, _, account = frame["channel"].partition(":")
    if family != "account_all":
        yield frame
        return
    for part in ("trades", "positions"):
        if frame[part] or frame["type"].startswith("subscribed"):
            yield {
                "channel": f"account_all_{part}:{account}",
                "type": frame["type"].replace("account_all", f"account_all_{part}"),
                part: frame[part],
            }


def session(shared: Shared) -> list[dict[str, Any]]:
    rows = json.loads(shared(SESSION).read_text())
    return [one for row in rows for one in as_subscribed(row["frame"])]


def test_a_captured_session_is_understood_to_the_micro_usdc(shared: Shared) -> None:
    """Its owner sold one HYPE by hand and bought it back; we sent neither, and count both."""
    ear, reports, collateral = Ear(), list[Report](), list[str]()
    for frame in session(shared):
        reports += ear.hears(frame)
        if "stats" in frame:
            collateral.append(frame["stats"]["collateral"])
            assert ear.inbox.available == frame["stats"]["available_balance"]
    assert set(ear.inbox.counters) == {"frames"} and ear.said == [], "nothing strange in it"
    fills = [(r.kind, r.side, r.px, r.qty, r.fee) for r in reports]
    assert fills == [
        (ReportKind.REP_FILL, Side.ASK, 401_342, 100, 0),
        (ReportKind.REP_FILL, Side.BID, 401_397, 100, 0),
    ]
    assert (ear.books.held[RAW].pos, ear.books.held[RAW].theirs) == (0, 0)
    # what the fills cost is by how much the venue's own sum of the account fell
    cash = sum(r.px * r.qty * (1 if r.side == Side.ASK else -1) - r.fee for r in reports)
    first, last = (int(text.replace(".", "")) for text in (collateral[0], collateral[-1]))
    assert cash == last - first == -5500
    # a fill that we never sent halts: nothing but cancels leaves until a person has looked
    assert ear.desk.fates.foreign_fills == 2 and ear.desk.fates.faults


def test_the_captured_session_told_twice_counts_once(shared: Shared) -> None:
    ear = Ear()
    frames = session(shared)
    first = [report for frame in frames for report in ear.hears(frame)]
    again = [report for frame in frames for report in ear.hears(frame)]
    assert len(first) == 2 and again == []


def test_a_captured_session_of_another_account_moves_nothing(shared: Shared) -> None:
    ear = Ear()
    ear.inbox.machine.account = ACCOUNT + 1
    reports = [report for frame in session(shared) for report in ear.hears(frame)]
    assert reports == [] and ear.inbox.counters["strays"] == ear.inbox.counters["frames"]
    assert ear.books.held[RAW].theirs == 0
