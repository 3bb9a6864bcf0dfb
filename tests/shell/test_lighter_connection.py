"""The state machine of the connection, driven by events and a clock that the test holds."""

import itertools
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core.stream import News
from bog.lighter.connection import (
    BOOK,
    MINUTE,
    PING,
    PING_RESERVE,
    PONG,
    SECOND,
    STABLE,
    Action,
    Connection,
    Do,
    Pace,
    Rolling,
    State,
)  # fmt: skip

MS = SECOND // 1000
PACE = Pace(
    connect_ns=10 * SECOND, ack_ns=5 * SECOND, silence_ns=4 * SECOND, quiet_ns=400 * MS,
    keepalive_ns=30 * SECOND, backoff_first_ns=500 * MS, backoff_most_ns=30 * SECOND,
    connects_per_min=20, messages_per_min=180,
)  # fmt: skip
ACK = {"order_book": News.NEWS_BOOK, "trade": News.NEWS_TRADES, "market_stats": News.NEWS_STATS}


class Rig:
    """A connection, its clock, and a venue that answers what it is told to."""

    def __init__(self, markets: tuple[int, ...] = (1,), pace: Pace = PACE, seed: int = 1) -> None:
        self.machine = Connection(list(markets), pace, Random(seed))
        self.now = 1000 * SECOND
        self.done: list[Action] = []

    def take(self) -> list[Action]:
        new = self.machine.take()
        self.done += new
        return new

    def sent(self) -> list[str]:
        return [action.text for action in self.take() if action.do is Do.SEND]

    def tick(self, seconds: float = 0.0, heard: bool = False) -> list[Action]:
        self.now += round(seconds * SECOND)
        self.machine.tick(self.now, self.now if heard else 0)
        return self.take()

    def news(self, what: int, market: int = -1, code: int = 0) -> list[Action]:
        self.machine.news(what, market, self.now, code)
        return self.take()

    def connected(self) -> "Rig":
        self.machine.start(self.now)
        assert [a.do for a in self.take()] == [Do.OPEN]
        self.machine.opened(self.now)
        return self

    def answer(self, texts: list[str]) -> list[str]:
        """Ack each subscription in `texts`; return what is sent next."""
        for text in texts:
            if '"subscribe"' in text:
                family, market = text.split('"channel":"')[1].rstrip('"}').split("/")
                self.machine.news(ACK[family], int(market), self.now)
        return self.sent()

    def live(self) -> "Rig":
        self.connected()
        self.machine.news(News.NEWS_CONNECTED, -1, self.now)
        texts = self.sent()
        while texts:
            texts = self.answer(texts)
        assert self.machine.state is State.LIVE
        return self


def subscribe(channel: str) -> str:
    return f'{{"type":"subscribe","channel":"{channel}"}}'


def unsubscribe(channel: str) -> str:
    return f'{{"type":"unsubscribe","channel":"{channel}"}}'


# from the start to live


def test_nothing_is_sent_before_the_venue_has_spoken() -> None:
    rig = Rig().connected()
    assert rig.machine.state is State.CONNECTED
    assert rig.tick(9.99) == []
    assert [a.text for a in rig.news(News.NEWS_CONNECTED)] == [subscribe("order_book/1")]
    assert rig.machine.state is State.SUBSCRIBING


def test_requests_go_one_at_a_time_books_first_and_all_acks_make_it_live() -> None:
    rig = Rig((1, 0)).connected()
    texts = [a.text for a in rig.news(News.NEWS_CONNECTED)]
    order = []
    while texts:
        assert len(texts) == 1
        order += texts
        texts = rig.answer(texts)
    assert order == [
        subscribe(f"{family}/{market}")
        for family in ("order_book", "trade", "market_stats") for market in (1, 0)
    ]  # fmt: skip
    assert rig.machine.state is State.LIVE


def test_an_answer_that_was_not_asked_for_acks_nothing() -> None:
    rig = Rig().connected()
    rig.news(News.NEWS_CONNECTED)
    assert rig.news(News.NEWS_TRADES, 1) == []
    assert rig.machine.asked is not None and rig.machine.asked.family == BOOK


@pytest.mark.parametrize("opened", [False, True])
def test_a_connection_that_does_not_begin_is_given_up_at_the_deadline(opened: bool) -> None:
    rig = Rig()
    rig.machine.start(rig.now)
    rig.take()
    if opened:
        rig.machine.opened(rig.now)
    assert rig.tick(10 - 1e-9) == []
    assert [a.do for a in rig.tick(1e-9)] == [Do.DROP, Do.DOWN]
    assert rig.machine.state is State.BACKOFF
    assert ("connected" if opened else "opened") in rig.machine.why


def test_a_request_without_an_answer_drops_the_connection_and_says_the_venues_error() -> None:
    rig = Rig().connected()
    rig.news(News.NEWS_CONNECTED)
    assert rig.news(News.NEWS_ERROR, code=30005) == []
    for _ in range(9):
        assert Do.DROP not in [a.do for a in rig.tick(0.5, heard=True)]
    assert [a.do for a in rig.tick(0.5, heard=True)] == [Do.DROP, Do.DOWN]
    assert "order_book/1 in 5 s" in rig.machine.why and "30005" in rig.machine.why
    assert rig.machine.counters["unanswered"] == 1


# gaps


def test_a_gap_resyncs_its_market_alone_by_unsubscribe_and_subscribe() -> None:
    rig = Rig((1, 0)).live()
    actions = rig.news(News.NEWS_GAP, 0)
    assert rig.machine.state is State.SYNCING
    assert [a.text for a in actions if a.do is Do.SEND] == [
        unsubscribe("order_book/0"), subscribe("order_book/0"),
    ]  # fmt: skip
    assert Action(Do.ASK, market=0) in actions
    assert rig.news(News.NEWS_UNSUBSCRIBED, 0) == []
    rig.news(News.NEWS_BOOK, 0)
    assert rig.machine.state is State.LIVE
    assert rig.machine.counters["resyncs"] == 1


def test_two_markets_that_break_together_resync_one_after_the_other() -> None:
    rig = Rig((1, 0)).live()
    rig.news(News.NEWS_GAP, 1)
    assert Do.SEND not in [a.do for a in rig.news(News.NEWS_GAP, 0)]
    assert [a.text for a in rig.news(News.NEWS_BOOK, 1)] == [
        unsubscribe("order_book/0"), subscribe("order_book/0"),
    ]  # fmt: skip
    assert rig.machine.state is State.SYNCING


def test_a_book_that_cannot_be_read_is_asked_for_later_and_later() -> None:
    rig = Rig().live()
    pauses = []
    rig.news(News.NEWS_REFUSED, 1)
    for _ in range(12):
        rig.news(News.NEWS_REFUSED, 1)  # the answer cannot be read, either
        waited = 0.0
        while rig.machine.asked is None:
            rig.tick(0.05, heard=True)
            waited += 0.05
        pauses.append(waited)
    assert pauses[0] <= 0.6 < 15 <= pauses[-1] <= 30.1
    assert rig.machine.counters["losses"] == 0, "the connection itself is sound"


def test_a_market_whose_book_stood_for_long_resyncs_at_once() -> None:
    rig = Rig().live()
    for _ in range(3):
        rig.news(News.NEWS_GAP, 1)
        while rig.machine.asked is None:
            rig.tick(0.05, heard=True)
        rig.news(News.NEWS_BOOK, 1)
    rig.now += STABLE
    rig.machine.heard_ns = rig.now
    assert len([a for a in rig.news(News.NEWS_GAP, 1) if a.do is Do.SEND]) == 2


# losses, backoff, budget


@pytest.mark.parametrize("failures", range(12))
def test_backoff_doubles_up_to_its_cap_and_half_of_it_is_chance(failures: int) -> None:
    most = min(500 * MS * 2**failures, 30 * SECOND)
    machine = Connection([1], PACE, Random(failures))
    pauses = [machine.delay(failures) for _ in range(2000)]
    assert min(pauses) >= most - most // 2 and max(pauses) <= most
    assert len(set(pauses)) > 1000


def test_failures_in_a_row_wait_longer_and_a_stable_connection_forgets_them() -> None:
    rig = Rig()
    rig.machine.start(rig.now)
    for failure in range(8):
        rig.machine.lost("refused", rig.now)
        wait = rig.machine.retry_ns - rig.now
        most = min(500 * MS * 2**failure, 30 * SECOND)
        assert most // 2 <= wait <= most
        rig.take()
        assert rig.tick((wait - 1) / SECOND) == []
        rig.now += 1
        assert [a.do for a in rig.tick()] == [Do.OPEN]
    rig.machine.opened(rig.now)
    rig.machine.news(News.NEWS_CONNECTED, -1, rig.now)
    texts = rig.sent()
    while texts:
        texts = rig.answer(texts)
    for _ in range(300):
        rig.tick(0.1, heard=True)
    rig.machine.lost("reset", rig.now)
    assert rig.machine.retry_ns - rig.now <= 500 * MS


def test_a_connection_that_stands_longer_than_the_pause_before_it_starts_over() -> None:
    """It had to stand for the longest pause: a stream that broke each 20 s was down for half the time."""
    rig = Rig().live()
    for _ in range(8):
        rig.machine.lost("reset", rig.now)
        pause = rig.machine.retry_ns - rig.now
        assert pause <= 500 * MS
        rig.now += pause
        rig.tick()
        rig.machine.opened(rig.now)
        rig.machine.news(News.NEWS_CONNECTED, -1, rig.now)
        texts = rig.sent()
        while texts:
            texts = rig.answer(texts)
        rig.tick(pause / SECOND + 0.1, heard=True)
    # one that breaks at once is tried more and more seldom
    rig, pauses = Rig().live(), []
    for _ in range(5):
        rig.machine.lost("reset", rig.now)
        pauses.append(rig.machine.retry_ns - rig.now)
        rig.now = rig.machine.retry_ns
        rig.tick()
    assert all(3 * after > 2 * before for before, after in itertools.pairwise(pauses))
    assert pauses[-1] > 4 * pauses[0]


def test_attempts_never_pass_the_budget_of_a_minute() -> None:
    rig = Rig(pace=replace(PACE, backoff_most_ns=500 * MS))
    rig.machine.start(rig.now)
    assert len(rig.take()) == 1
    opened = [rig.now]
    for _ in range(30_000):
        for action in rig.tick(0.01):
            if action.do is Do.OPEN:
                opened.append(rig.now)
        rig.machine.lost("refused", rig.now)
    assert max(sum(1 for o in opened if at <= o < at + MINUTE) for at in opened) == 20


def test_whatever_is_lost_voids_every_book_once() -> None:
    rig = Rig((1, 0)).live()
    rig.machine.lost("reset by peer", rig.now)
    rig.machine.lost("and said again", rig.now)
    assert [a.do for a in rig.take()] == [Do.DOWN]
    assert rig.machine.why == "reset by peer"
    assert rig.machine.counters["losses"] == 1


def test_an_announced_shutdown_is_followed_by_an_early_attempt() -> None:
    rig = Rig().live()
    rig.machine.attempts = 9
    assert [a.do for a in rig.news(News.NEWS_SHUTDOWN)] == [Do.DROP, Do.DOWN]
    assert rig.machine.retry_ns - rig.now <= 500 * MS


def test_news_of_a_connection_that_is_given_up_changes_nothing() -> None:
    rig = Rig().live()
    rig.machine.lost("reset", rig.now)
    rig.take()
    for what in News:
        assert rig.news(what, 1) == []
    assert rig.machine.state is State.BACKOFF


def test_stop_is_for_good() -> None:
    rig = Rig().live()
    rig.machine.stop(rig.now)
    assert [a.do for a in rig.take()] == [Do.DROP]
    rig.machine.lost("closed", rig.now)
    assert rig.tick(3600) == [] and rig.machine.state is State.CLOSED


# signs of life


def test_silence_of_every_kind_is_a_dead_connection_and_any_frame_a_live_one() -> None:
    rig = Rig().live()
    for _ in range(20):
        assert Do.DROP not in [a.do for a in rig.tick(3.9, heard=True)]
    assert Do.DROP not in [a.do for a in rig.tick(4 - 1e-9)]
    assert Do.DROP in [a.do for a in rig.tick(1e-9)]
    assert rig.machine.why == "silent for 4 s" and rig.machine.counters["zombies"] == 1


def test_a_quiet_venue_is_asked_for_a_sign_of_life_and_a_busy_one_is_not() -> None:
    rig = Rig().live()
    for _ in range(100):
        assert rig.tick(0.1, heard=True) == []
    assert rig.tick(0.4 - 1e-9) == []
    assert [a.text for a in rig.tick(1e-9)] == [PING]
    assert rig.tick(0.3) == []  # one at a time


def test_we_say_something_even_when_the_venue_is_busy() -> None:
    rig = Rig().live()
    said = [a.text for _ in range(299) for a in rig.tick(0.1, heard=True)]
    assert said == []
    assert [a.text for a in rig.tick(0.2, heard=True)] == [PING]


def test_a_ping_is_answered() -> None:
    rig = Rig().live()
    assert [a.text for a in rig.news(News.NEWS_PING)] == [PONG]


def test_neither_a_storm_of_pings_nor_a_quiet_hour_leaves_no_room_for_a_resync() -> None:
    rig = Rig().live()
    for _ in range(1000):
        rig.news(News.NEWS_PING)
    assert rig.machine.messages.left(rig.now) == PING_RESERVE
    assert len([a for a in rig.news(News.NEWS_GAP, 1) if a.do is Do.SEND]) == 2


@given(st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(sorted(News))), max_size=400))
def test_law_messages_and_attempts_keep_their_budgets(script: list[tuple[int, int]]) -> None:
    rig = Rig((1, 0))
    rig.machine.start(rig.now)
    sent, opened = Rolling(180), Rolling(20)
    for wait_ms, what in script:
        rig.now += wait_ms * MS
        rig.machine.tick(rig.now, 0)
        rig.machine.opened(rig.now)
        rig.machine.news(what, 1, rig.now)
        for action in rig.take():
            budget = {Do.SEND: sent, Do.OPEN: opened}.get(action.do)
            if budget is not None:
                assert budget.left(rig.now) > 0, action
                budget.use(rig.now)
        if rig.machine.state is State.LIVE:
            assert set(rig.machine.whole_ns) == {1, 0}
