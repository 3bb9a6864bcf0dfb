"""The rules of a resting order's fill, written a second time: slow, plain, from the text alone.

It shares no line with bog/_core/paper*.pxd. Prices, sizes and times are plain integers, a book is a
dict from price to size, an order is looked up by walking a list. docs/paper-venue.md names the
reading of each rule; the tests compare both, fill by fill and state by state.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field

BID, ASK = 0, 1


class Sum:
    """One sum with one expiry, renewed at each addition; it counts while now <= expiry."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.value = 0
        self.expiry = -1

    def at(self, now: int) -> int:
        return self.value if now <= self.expiry else 0

    def add(self, amount: int, now: int) -> None:
        self.value = self.at(now) + amount
        self.expiry = now + self.window

    def take(self, amount: int, now: int) -> int:
        """Take up to `amount` off what counts and return how much was taken."""
        taken = min(amount, self.at(now))
        self.value -= taken
        return taken


@dataclass
class Resting:
    order: object
    side: int
    px: int
    qty: int
    rem: int
    age: tuple
    credit: Sum
    ahead: int = 0
    state: str = "pending"


@dataclass
class PaperModel:
    model: str = "risk"
    full: bool = False
    window: int = 250_000_000
    shrink_keeps_place: bool = False
    book: tuple = field(default_factory=lambda: ({}, {}))
    alive: dict = field(default_factory=dict)
    open: dict = field(default_factory=dict)
    dead_on_arrival: set = field(default_factory=set)
    actions: list = field(default_factory=list)
    unexplained: dict = field(default_factory=dict)
    seen: dict = field(default_factory=dict)
    used: dict = field(default_factory=dict)
    fills: list = field(default_factory=list)
    rejected: list = field(default_factory=list)
    touch: list = field(default_factory=lambda: [None, None])
    rebuilding: bool = False
    seq: int = 0

    # ---- what we send

    def send(self, order, side, px, qty, now, latency=0, age=None, seq=None):
        self.seq += 1
        seq = self.seq if seq is None else seq
        resting = Resting(
            order, side, px, qty, qty, (self.seq,) if age is None else age, Sum(self.window)
        )
        self.alive[order] = resting
        insort(self.actions, (now + latency, seq, "send", order, None))

    def cancel(self, order, now, latency=0, seq=None):
        self.seq += 1
        seq = self.seq if seq is None else seq
        insort(self.actions, (now + latency, seq, "cancel", order, None))

    def amend(self, order, px, qty, now, latency=0):
        self.seq += 1
        insort(self.actions, (now + latency, self.seq, "amend", order, (px, qty)))

    def advance(self, now):
        """Actions due at or before `now`, by time, then in the order they were sent."""
        while self.actions and self.actions[0][0] <= now:
            _, seq, what, order, wanted = self.actions.pop(0)
            getattr(self, "do_" + what)(order, seq, wanted)

    def do_send(self, order, _seq, _wanted):
        if order in self.dead_on_arrival:
            return
        resting = self.alive[order]
        if self.crosses(resting.side, resting.px):
            self.rejected.append(order)
            del self.alive[order]
            return
        resting.state = "open"
        self.open[order] = resting
        self.join(resting)

    def do_cancel(self, order, _seq, _wanted):
        resting = self.alive.pop(order, None)
        self.open.pop(order, None)
        if resting is not None and resting.state == "pending":
            self.dead_on_arrival.add(order)

    def do_amend(self, order, seq, wanted):
        resting = self.alive.get(order)
        if resting is None or resting.state == "pending":
            return
        px, qty = wanted
        filled = resting.qty - resting.rem
        if qty <= filled or self.crosses(resting.side, px):
            del self.alive[order], self.open[order]
            return
        keeps = self.shrink_keeps_place and px == resting.px and qty <= resting.qty
        resting.px, resting.qty, resting.rem = px, qty, qty - filled
        if not keeps:
            resting.age = (seq,)
            resting.credit = Sum(self.window)
            self.join(resting)

    def join(self, resting):
        size = self.book[resting.side].get(resting.px, 0)
        resting.ahead = 0 if self.model == "front" else size

    # ---- the book

    def best(self, side):
        """Best displayed price of a side, None when it is empty."""
        if self.touch[side] is None and self.book[side]:
            self.touch[side] = max(self.book[side]) if side == BID else min(self.book[side])
        return self.touch[side]

    def reaches(self, side, px, level):
        """Whether an order on `side` at `px` meets the opposite level."""
        return level <= px if side == BID else level >= px

    def crosses(self, side, px):
        best = self.best(1 - side)
        return best is not None and self.reaches(side, px, best)

    def resting(self, side):
        """Our resting orders of a side: best price first, then age."""
        found = [o for o in self.open.values() if o.side == side]
        return sorted(found, key=lambda o: (-o.px if side == BID else o.px, o.age))

    def fill(self, now, resting, size, reason):
        assert 0 < size <= resting.rem
        resting.rem -= size
        self.fills.append((now, resting.order, resting.side, resting.px, size, reason))
        if resting.rem == 0:
            del self.alive[resting.order], self.open[resting.order]

    # ---- rows

    def row(self, kind, now, side=0, px=0, qty=0, eom=False):
        self.advance(now)
        if kind == "B":
            return
        if kind == "R":
            self.book[BID].clear()
            self.book[ASK].clear()
            self.used.clear()
            self.touch = [None, None]
            self.rebuilding = True
        elif kind == "L":
            self.level(now, side, px, qty)
        elif kind == "T":
            self.trade(now, 1 - side, px, qty)
        if eom:
            self.end(now)

    def level(self, now, side, px, new):
        old = self.book[side].pop(px, 0)
        if new:
            self.book[side][px] = new
        if self.touch[side] == px or (
            new
            and self.touch[side] is not None
            and (px > self.touch[side] if side == BID else px < self.touch[side])
        ):
            self.touch[side] = None
        self.used.pop((side, px), None)
        if self.rebuilding or new >= old:
            return
        dec = old - new
        from_seen = 0
        if (side, px) in self.seen:
            from_seen = self.seen[side, px].take(dec, now)
        rest = dec - from_seen
        for o in self.open.values():
            if o.side != side or o.px != px:
                continue
            f = o.ahead
            b = max(0, old - from_seen - f)
            ahead = f
            if self.model == "linear" and f:
                ahead = f - rest * f // (f + b)
            elif self.model == "square" and f:
                ahead = f - rest * f * f // (f * f + b * b)
            ahead = min(ahead, new)
            if rest > 0:
                o.credit.add(f - ahead, now)
            o.ahead = ahead
        if rest > 0:
            self.unexplained.setdefault((side, px), Sum(self.window)).add(rest, now)

    def trade(self, now, side, px, qty):
        left = qty
        older = 0
        for o in self.resting(side):
            if o.px == px:
                reach = qty - o.credit.take(qty, now)
                queue = min(reach, o.ahead)
                o.ahead -= queue
                size = min(o.rem, reach - queue - older, left)
                older += o.rem
                reason = "queue"
            elif o.px > px if side == BID else o.px < px:
                size = o.rem if self.full else min(o.rem, left)
                reason = "through"
            else:
                continue
            if size > 0:
                self.fill(now, o, size, reason)
                left = max(0, left - size)
        late = 0
        if (side, px) in self.unexplained:
            late = self.unexplained[side, px].take(qty, now)
        self.seen.setdefault((side, px), Sum(self.window)).add(qty - late, now)

    def end(self, now):
        """A message is complete."""
        self.advance(now)
        if self.rebuilding and (self.book[BID] or self.book[ASK]):
            self.rebuilding = False
            for o in self.open.values():
                o.ahead = min(o.ahead, self.book[o.side].get(o.px, 0))
        if self.rebuilding:
            return
        for side in (BID, ASK):
            for o in self.resting(side):
                if not self.crosses(side, o.px):
                    continue
                against = 1 - side
                reached = [p for p in self.book[against] if self.reaches(side, o.px, p)]
                total = 0
                for p in sorted(reached, reverse=against == BID):
                    free = self.book[against][p] - self.used.get((against, p), 0)
                    size = min(free, o.rem - total)
                    if size > 0:
                        self.used[against, p] = self.used.get((against, p), 0) + size
                        total += size
                if total:
                    self.fill(now, o, total, "cross")

    def state(self, now):
        """Every order alive: state, price, total size, rem, ahead, credit."""
        return {
            o.order: (o.state, o.side, o.px, o.qty, o.rem, o.ahead, o.credit.at(now))
            for o in self.alive.values()
        }
