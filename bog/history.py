"""What a market did since somebody began to watch it: spreads, delays and counts, second by second."""

from __future__ import annotations

from collections import deque

from bog.sight import Book

SECONDS = 600  # that are remembered


class Second:
    """One second of watching: the widest spread and the longest delay in it; None: not known."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.spread_e4: int | None = None  # ten-thousandths of a bp
        self.delay_ns: int | None = None  # from the venue's clock to our receipt


class History:
    """Takes one book a frame. `reset` forgets the statistics; the newest trade is kept."""

    def __init__(self) -> None:
        self.trade: tuple[int, int, int] | None = None  # px, qty, side
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.seconds: deque[Second] = deque(maxlen=SECONDS)
        self.began_ns = self.now_ns = 0
        self.frames = self.updates = self.changes = self.restarts = 0
        self.spread_sum = self.spread_frames = 0
        self.spread_least = self.spread_most = 0
        self.delay_ns: int | None = None
        self.last: tuple[int, int] | None = None  # epoch and sequence of the book before

    def add(self, book: Book) -> None:
        """Take the book of one frame. One that is stale says nothing of the market of now."""
        self.now_ns = book.read_ns
        self.began_ns = self.began_ns or book.read_ns
        self.frames += 1
        self.trade = book.trade or self.trade
        at = book.epoch, book.sequence
        new = at != self.last
        if self.last is not None and new:
            self.changes += 1
            if book.epoch == self.last[0]:
                self.updates += max(0, book.sequence - self.last[1])
            else:
                self.restarts += 1
        self.last = at
        if book.stale:
            return
        number = book.read_ns // 10**9
        if not self.seconds or self.seconds[-1].number != number:
            self.seconds.append(Second(number))
        second = self.seconds[-1]
        if book.mid2:
            spread = book.spread_e4
            self.spread_least = min(spread, self.spread_least) if self.spread_frames else spread
            self.spread_most = max(spread, self.spread_most) if self.spread_frames else spread
            self.spread_sum += spread
            self.spread_frames += 1
            second.spread_e4 = spread if second.spread_e4 is None else max(spread, second.spread_e4)
        if new and book.exchange_ns and book.received_ns:
            self.delay_ns = book.received_ns - book.exchange_ns
            second.delay_ns = max(self.delay_ns, second.delay_ns or self.delay_ns)

    @property
    def elapsed_sec(self) -> float:
        """Seconds since the first frame."""
        return (self.now_ns - self.began_ns) / 1e9

    @property
    def spread_mean_e4(self) -> int:
        """Mean over the frames, rounded; 0 before the first."""
        return round(self.spread_sum / self.spread_frames) if self.spread_frames else 0

    def spreads(self, count: int) -> list[int | None]:
        """Return the widest spread of each of the last `count` seconds, None where none was seen."""
        return [second.spread_e4 if second else None for second in self._last(count)]

    def delays(self, count: int) -> list[int | None]:
        """Return the longest delay of each of the last `count` seconds, None where none was seen."""
        return [second.delay_ns if second else None for second in self._last(count)]

    def _last(self, count: int) -> list[Second | None]:
        if not self.seconds:
            return [None] * count
        newest = self.seconds[-1].number
        by_number = {second.number: second for second in self.seconds}
        return [by_number.get(number) for number in range(newest - count + 1, newest + 1)]
