"""A reader of the published feed that compares every message with the recorded frames.

It rebuilds the book from the rows in shared memory, walks the reference book along the recording, and
compares the two whenever a message ends, by the id that both carry.
"""

from __future__ import annotations

import heapq
from collections import Counter
from pathlib import Path

from bog._core.huginn import FeedRead
from bog._core.reader import Reader
from bog._core.types import Flag, RecordKind, RowKind, Side, Status
from tests.rig.frames import Tape
from tests.rig.reference import SIDES, ReferenceBook, chain_of

Book = tuple[dict[int, int], dict[int, int]]


class Differs(AssertionError):
    """The published book is not the recorded one."""


class Follower:
    """Follows one market in `directory`; `tape` is what the venue plays.

    `compared` counts the messages whose book was compared, `records` the top-of-book records.
    `statuses` counts status rows by their Status, `whole` says whether a whole book stands now.
    """

    def __init__(self, tape: Tape, directory: Path) -> None:
        self.tape = tape
        decimals = tape.price_decimals, tape.size_decimals
        self.reader = Reader(tape.market, directory=directory, price_decimals=decimals[0],
                             size_decimals=decimals[1])  # fmt: skip
        self.short = Reader(tape.market, directory=directory)
        self.frames = tape.book_frames()
        self.reference = ReferenceBook(decimals)
        self.book: Book = ({}, {})
        self.whole = self.in_snapshot = False
        self.compared = self.records = self.snapshots = self.last_trade = 0
        self.id = -1
        self.statuses: Counter[Status] = Counter()
        self.prints: dict[int, tuple[int, int, int]] = {}
        self.last_id = max(chain_of(frame)[0] for frame in tape.book_frames())

    @property
    def over(self) -> bool:
        """Whether the last book of the recording stands."""
        return self.whole and self.id == self.last_id

    def follow(self) -> int:
        """Take every row that is there; return how many."""
        count = 0
        while (row := self.reader.row()) is not None:
            count += 1
            _, kind, side, px, qty, _, _, number, seq, eom, flags = row
            if kind == RowKind.ROW_RESET:
                self.book[0].clear()
                self.book[1].clear()
                self.whole = bool(flags & Flag.F_SNAPSHOT)
                self.snapshots += self.whole
            elif kind == RowKind.ROW_LEVEL:
                if not self.whole:
                    raise Differs(f"a level of {number} was published without a whole book")
                if qty:
                    self.book[side][px] = qty
                else:
                    self.book[side].pop(px, None)
            elif kind == RowKind.ROW_TRADE:
                if number <= self.last_trade:
                    raise Differs(f"print {number} came again or late, after {self.last_trade}")
                self.last_trade = number
                self.prints[number] = (px, qty, side)
            elif kind == RowKind.ROW_STATUS:
                self.statuses[Status(px)] += 1
            if eom and self.whole and kind in (RowKind.ROW_RESET, RowKind.ROW_LEVEL):
                self.compare(number, seq)
        if self.reader.code not in (FeedRead.READ_NOTHING, FeedRead.READ_GONE):
            raise Differs(f"the reader was lost: {FeedRead(self.reader.code).name}")
        return count

    def compare(self, number: int, seq: int) -> None:
        """Compare the book with the recorded one after the frame `number`."""
        while self.reference.id < number:
            self.reference.apply(next(self.frames))
        if self.reference.id != number:
            raise Differs(f"message {number} is none of the recording's")
        self.id = number
        for n, side in enumerate(SIDES):
            if self.book[n] != self.reference.sides[side]:
                odd = set(self.book[n].items()) ^ set(self.reference.sides[side].items())
                raise Differs(f"{side} after message {number}: {sorted(odd)[:6]}")
        self.compared += 1
        record = self.short.record()
        while record is not None and record["seq"] < seq:
            record = self.short.record()
        if record is not None and record["seq"] == seq and record["kind"] == RecordKind.REC_BOOK:
            bids = heapq.nlargest(10, self.reference.sides["bids"].items())
            asks = heapq.nsmallest(10, self.reference.sides["asks"].items())
            if [list(record["bids"]), list(record["asks"])] != [bids, asks]:
                raise Differs(f"record {seq} after message {number}: {record}")
            self.records += 1

    def compare_page(self) -> None:
        """Compare the whole-book page, for readers that come late."""
        page = self.reader.book()
        if page is None:
            raise Differs("there is no whole-book page")
        for n, side in enumerate(SIDES):
            if list(page[n]) != self.reference.levels(side):
                raise Differs(f"{side} of the whole-book page are not those after {self.id}")

    def compare_prints(self) -> int:
        """Compare every print with the recorded trades; return how many of those were published."""
        recorded = {}
        for event in self.tape.events:
            if event.family == "trade":
                for list_ in ("trades", "liquidation_trades"):
                    for trade in event.frame[list_] or ():
                        px, qty = self.reference.read(trade["price"], trade["size"])
                        side = Side.BID if trade["is_maker_ask"] else Side.ASK
                        recorded[trade["trade_id"]] = (px, qty, int(side))
        for number, said in self.prints.items():
            if recorded.get(number) != said:
                raise Differs(f"print {number}: {said}, recorded {recorded.get(number)}")
        return len(self.prints)
