"""The state of the connection to the venue: what has happened goes in, what to do comes out.

    CONNECTING --opened--> CONNECTED --"connected"--> SUBSCRIBING --all acked--> LIVE
        ^                      |                           |                    |  ^
        |                      +------------ lost ---------+--------------------+  |
     BACKOFF <----------------------------------------------     a gap --> SYNCING-+

Pure: it reads no clock and opens nothing. Every event brings the time (ns, monotonic), and the
keeper (client.py) does what `take` returns. CLOSED is entered by `stop` only.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import NamedTuple

from bog._core.stream import News

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
BOOK, TRADES, STATS = "order_book", "trade", "market_stats"
FAMILIES = (BOOK, TRADES, STATS)
ACKS = {News.NEWS_BOOK: BOOK, News.NEWS_TRADES: TRADES, News.NEWS_STATS: STATS}
PING, PONG = '{"type":"ping"}', '{"type":"pong"}'
PING_RESERVE = 40  # messages of a minute that only requests may use: pings must not starve a resync
STABLE = MINUTE  # a market whose book stood this long resyncs without delay again


class State(Enum):
    """Where the connection stands."""

    CONNECTING = "connecting"
    CONNECTED = "connected"  # open; the venue has not spoken yet
    SUBSCRIBING = "subscribing"
    SYNCING = "syncing"  # subscribed; at least one market has no whole book
    LIVE = "live"
    BACKOFF = "backoff"
    CLOSED = "closed"


class Do(Enum):
    """What the keeper of the connection has to do."""

    OPEN = "open"
    SEND = "send"  # `text`
    DROP = "drop"  # close without ceremony; `text` is why
    DOWN = "down"  # no book of this connection is known any more
    VOID = "void"  # the book of `market` is not known any more
    ASK = "ask"  # what the venue says of `market` may have changed: fetch it


class Action(NamedTuple):
    do: Do
    text: str = ""
    market: int = -1


@dataclass(frozen=True)
class Pace:
    """How fast and how patient: times in ns, counts in a rolling minute."""

    connect_ns: int  # for the opening and for the venue's first word, each
    ack_ns: int  # for the answer to a request
    silence_ns: int  # without a frame of any kind, after which the connection is dead
    quiet_ns: int  # without one, after which the venue is asked for a sign of life
    keepalive_ns: int  # at most, between two messages of ours
    backoff_first_ns: int  # most before the second attempt; doubles with each
    backoff_most_ns: int
    connects_per_min: int
    messages_per_min: int


class Rolling:
    """A budget in a rolling minute."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.times: deque[int] = deque()

    def left(self, now: int) -> int:
        """Return how many more may happen now."""
        while self.times and now - self.times[0] >= MINUTE:
            self.times.popleft()
        return self.most - len(self.times)

    def next_ns(self, now: int) -> int:
        """Return when the next one may happen: now, or when the oldest is a minute old."""
        return now if self.left(now) > 0 else self.times[0] + MINUTE

    def use(self, now: int) -> None:
        self.times.append(now)


class Request(NamedTuple):
    """One channel to subscribe; `again` unsubscribes first, for which the venue sends a whole book."""

    family: str
    market: int
    again: bool = False
    not_before: int = 0

    @property
    def channel(self) -> str:
        return f"{self.family}/{self.market}"


class Connection:
    """One connection for `markets`. Counters say what was counted; `why` is the last loss's reason."""

    def __init__(self, markets: list[int], pace: Pace, random: Random) -> None:
        self.markets = markets
        self.pace = pace
        self.random = random
        self.state = State.BACKOFF
        self.since_ns = 0  # of this state
        self.retry_ns = 0  # in BACKOFF: when to try again
        self.pause_ns = 0  # the last one
        self.attempts = 0  # that failed since the connection last stood for longer than that
        self.why = ""
        self.error = 0  # the venue's last number
        self.counters: Counter[str] = Counter()
        self.connects = Rolling(pace.connects_per_min)
        self.messages = Rolling(pace.messages_per_min)
        self.actions: list[Action] = []
        self.sent_ns = self.heard_ns = self.pinged_ns = self.ponged_ns = 0
        self.waiting: deque[Request] = deque()
        self.asked: Request | None = None  # the one request in flight
        self.asked_ns = 0
        self.acked: set[tuple[str, int]] = set()
        self.whole_ns: dict[int, int] = {}  # when a market's book became whole
        self.breaks: Counter[int] = Counter()  # of a market's book, since it last stood for long

    def take(self) -> list[Action]:
        """Return what to do, once."""
        actions, self.actions = self.actions, []
        return actions

    # events

    def start(self, now: int) -> None:
        """Begin: connect at once."""
        self._backoff(now, now)
        self.tick(now, 0)

    def opened(self, now: int) -> None:
        """The connection is open; the venue speaks first."""
        if self.state is State.CONNECTING:
            self.heard_ns = self.sent_ns = self.pinged_ns = now
            self._enter(State.CONNECTED, now)

    def news(self, what: int, market: int, now: int, code: int = 0) -> None:
        """A frame came that means something here; `market` is -1 when it names none of ours."""
        self.heard_ns = max(self.heard_ns, now)
        if self.state in (State.CONNECTING, State.BACKOFF, State.CLOSED):
            return
        if what == News.NEWS_CONNECTED:
            self._greeted(now)
        elif what in ACKS:
            self._acked(ACKS[News(what)], market, now)
        elif what in (News.NEWS_GAP, News.NEWS_REFUSED):
            self.counters["gaps" if what == News.NEWS_GAP else "refused"] += 1
            self._broken(market, now)
        elif what == News.NEWS_PING:
            self._pong(now)
        elif what == News.NEWS_SHUTDOWN:
            self.counters["shutdowns"] += 1
            self.attempts = 0
            self._lose("the venue announced that it closes this connection", now)
        elif what == News.NEWS_ERROR:
            self.counters["errors"] += 1
            self.error = code
        self._pump(now)

    def lost(self, why: str, now: int) -> None:
        """The connection is gone, or could not be opened."""
        if self.state not in (State.BACKOFF, State.CLOSED):
            self._lose(why, now, drop=False)

    def stop(self, now: int) -> None:
        """End for good."""
        if self.state is not State.CLOSED:
            self.actions.append(Action(Do.DROP, "asked to stop"))
            self._enter(State.CLOSED, now)

    def tick(self, now: int, heard_ns: int) -> None:
        """Look at the clocks; `heard_ns` is when the last frame of any kind came."""
        self.heard_ns = max(self.heard_ns, heard_ns)
        if self.state is State.BACKOFF:
            if now >= self.retry_ns:
                self._connect(now)
            return
        if self.state is State.CLOSED:
            return
        if self.state in (State.CONNECTING, State.CONNECTED):
            if now - self.since_ns >= self.pace.connect_ns:
                what = "opened" if self.state is State.CONNECTING else 'said "connected"'
                self._lose(f"not {what} within {_sec(self.pace.connect_ns)}", now)
            return
        if now - self.heard_ns >= self.pace.silence_ns:
            self.counters["zombies"] += 1
            self._lose(f"silent for {_sec(self.pace.silence_ns)}", now)
            return
        if self.asked is not None and now - self.asked_ns >= self.pace.ack_ns:
            self.counters["unanswered"] += 1
            error = f"; the venue's last error is {self.error}" if self.error else ""
            self._lose(
                f"no answer to subscribe {self.asked.channel} in {_sec(self.pace.ack_ns)}{error}",
                now,
            )
            return
        if self.state is State.LIVE and now - self.since_ns >= self.pause_ns:
            self.attempts = 0
        self._keep_alive(now)
        self._pump(now)

    # what the events come to

    def _enter(self, state: State, now: int) -> None:
        if state is not self.state:
            self.state = state
            self.since_ns = now

    def _connect(self, now: int) -> None:
        at = self.connects.next_ns(now)
        if at > now:
            self._backoff(now, at)
            return
        self.connects.use(now)
        self.counters["connects"] += 1
        self.error = 0
        self.actions.append(Action(Do.OPEN))
        self._enter(State.CONNECTING, now)

    def _backoff(self, now: int, until: int) -> None:
        self.retry_ns = until
        self._enter(State.BACKOFF, now)

    def delay(self, failures: int) -> int:
        """Return how long to wait after so many failures in a row, ns: half of it is chance."""
        most = min(self.pace.backoff_first_ns << min(failures, 40), self.pace.backoff_most_ns)
        return most - self.random.randrange(most // 2 + 1)

    def _lose(self, why: str, now: int, drop: bool = True) -> None:
        self.counters["losses"] += 1
        self.why = why
        if drop:
            self.actions.append(Action(Do.DROP, why))
        self.actions.append(Action(Do.DOWN, why))
        self.waiting.clear()
        self.acked.clear()
        self.whole_ns.clear()
        self.asked = None
        self.pause_ns = self.delay(self.attempts)
        self._backoff(now, now + self.pause_ns)
        self.attempts += 1

    def _greeted(self, now: int) -> None:
        if self.state is not State.CONNECTED:
            return  # said twice: nothing new
        # books of all markets first: they are what trading waits for
        self.waiting = deque(Request(f, m) for f in FAMILIES for m in self.markets)
        self._enter(State.SUBSCRIBING, now)

    def _acked(self, family: str, market: int, now: int) -> None:
        if self.asked is not None and (self.asked.family, self.asked.market) == (family, market):
            self.asked = None
        elif (family, market) not in self.acked:
            return  # never asked for on this connection: its request will be answered, too
        if family == BOOK:
            self.counters["snapshots"] += 1
            self.whole_ns[market] = now
        self.acked.add((family, market))
        self._settle(now)

    def _settle(self, now: int) -> None:
        """Enter the state that the channels are in."""
        if self.state in (State.SUBSCRIBING, State.SYNCING, State.LIVE):
            first = {
                r.channel for r in [*self.waiting, self.asked] if r is not None and not r.again
            }
            whole = len(self.whole_ns) == len(self.markets)
            self._enter(State.SUBSCRIBING if first else State.LIVE if whole else State.SYNCING, now)

    def _broken(self, market: int, now: int) -> None:
        """The book of a market is void: ask for a whole one, later each time it breaks soon again."""
        self.actions.append(Action(Do.ASK, market=market))
        whole_ns = self.whole_ns.pop(market, None)
        if whole_ns is not None and now - whole_ns >= STABLE:
            self.breaks[market] = 0
        asked = self.asked
        if asked is not None and (asked.family, asked.market) == (BOOK, market):
            self.asked = None  # answered by what cannot be used
        elif any((r.family, r.market) == (BOOK, market) for r in self.waiting):
            return
        wait = self.delay(self.breaks[market] - 1) if self.breaks[market] else 0
        self.breaks[market] += 1
        self.counters["resyncs"] += 1
        self.waiting.appendleft(Request(BOOK, market, True, now + wait))
        self._settle(now)

    def resync(self, market: int, now: int) -> None:
        """Ask for a whole book of a market whose book was given up for another reason."""
        if self.state in (State.SUBSCRIBING, State.SYNCING, State.LIVE):
            self._broken(market, now)
            self._pump(now)

    def _pump(self, now: int) -> None:
        """Send the next request that is due: one is in flight at a time, as acks may be reordered."""
        if self.asked is not None or self.state not in (
            State.SUBSCRIBING, State.SYNCING, State.LIVE,
        ):  # fmt: skip
            return
        for request in self.waiting:
            if request.not_before > now:
                continue
            if self.messages.left(now) < 1 + request.again:
                return
            self.waiting.remove(request)
            if request.again:
                self._send(f'{{"type":"unsubscribe","channel":"{request.channel}"}}', now)
            self._send(self.subscription(request), now)
            self.asked, self.asked_ns = request, now
            return

    def subscription(self, request: Request) -> str:
        """Return the message that subscribes a channel."""
        return f'{{"type":"subscribe","channel":"{request.channel}"}}'

    def _send(self, text: str, now: int) -> None:
        self.messages.use(now)
        self.counters["messages"] += 1
        self.sent_ns = now
        self.actions.append(Action(Do.SEND, text))

    def _keep_alive(self, now: int) -> None:
        """Ask for a sign of life when it is quiet, and give one when we have been."""
        quiet = now - max(self.heard_ns, self.pinged_ns) >= self.pace.quiet_ns
        if (quiet and self.messages.left(now) > PING_RESERVE) or (
            now - self.sent_ns >= self.pace.keepalive_ns and self.messages.left(now) > 0
        ):
            self.pinged_ns = now
            self.counters["pings"] += 1
            self._send(PING, now)

    def _pong(self, now: int) -> None:
        """Answer a ping; a storm of them is answered within the budget of messages."""
        if self.messages.left(now) > PING_RESERVE:
            self.counters["pongs"] += 1
            self._send(PONG, now)


def _sec(ns: int) -> str:
    return f"{ns / SECOND:g} s"
