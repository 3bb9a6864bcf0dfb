"""Funding payments of the venue: asked for after each full hour, told to the engine once each.

A payment is named by its Unix second; the engine's journal keeps the newest one that it has booked. An
engine that has booked none begins with what is paid from now on: a payment of nothing, now, says so.

Pure: time is passed in.
"""

from __future__ import annotations

from bog._core.types import ReportKind, Side
from bog.lighter.fate import Report
from bog.lighter.rows import FundingRow, RowError, Scale, micro, quanta_paid

HOUR_MS = 3_600_000
LAGS_MS = (5_000, 60_000, 600_000)  # behind a full hour: the venue may be late
PAGES_MOST = 500  # more than a venue of some markets pays in years


class Funding:
    """Which payments the engines have, and when to ask for more."""

    def __init__(self, booked: dict[int, int]) -> None:
        """`booked` is by market the second of the newest payment that its engine has; 0: none."""
        self.booked = dict(booked)
        self.due_ms = 0  # by the venue's clock
        self.cursor = ""
        self.found: list[FundingRow] = []
        self.pages = 0

    def begin(self, venue_ms: int) -> list[Report]:
        """Return what tells the engines that have booked none from when on they do."""
        second = venue_ms // 1000
        begun = [market for market, booked in self.booked.items() if not booked]
        self.booked |= dict.fromkeys(begun, second)
        return [_report(market, 0, second) for market in begun]

    def page(self, rows: list[FundingRow], cursor: str, scales: dict[int, Scale]) -> bool:
        """Take a page, newest first; return whether it was the last one that is wanted."""
        self.found += rows
        self.pages += 1
        old = any(row.timestamp <= min(self.booked.values()) for row in rows)
        more = cursor and rows and not old
        if more and self.pages < PAGES_MOST:
            self.cursor = cursor
            return False
        self.cursor, self.pages = "", 0
        if more:
            self.found = []
            raise RowError(f"more than {PAGES_MOST} pages of funding payments")
        known = {scale.market for scale in scales.values()}
        self.found = [row for row in self.found if row.market_id in known]
        return True

    def reports(self, venue_ms: int, scales: dict[int, Scale]) -> list[Report]:
        """Return the payments that are news, oldest first, after the last page; ask again in time."""
        hour_ms = venue_ms - venue_ms % HOUR_MS
        self.due_ms = min(
            at for lag in LAGS_MS for at in (hour_ms + lag, hour_ms + HOUR_MS + lag) if at > venue_ms
        )  # fmt: skip
        raw = {scale.market: market for market, scale in scales.items()}
        found, self.found = self.found, []
        news = []
        for row in sorted(found, key=lambda row: row.timestamp):
            market = raw[row.market_id]
            if row.timestamp > self.booked[market]:
                paid = quanta_paid(-micro(row.change, "change"), scales[market])
                news.append(_report(market, paid, row.timestamp))
                self.booked[market] = row.timestamp
        return news


def _report(market: int, paid: int, second: int) -> Report:
    return Report(market, int(ReportKind.REP_FUNDING), 0, int(Side.BID), fee=paid, venue_id=second)
