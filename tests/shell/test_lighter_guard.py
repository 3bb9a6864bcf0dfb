"""The guardian's judgment, the venue's timer, and ours against the venue's."""

from bog._core.types import ReportKind, Side
from bog.lighter.connection import SECOND
from bog.lighter.fate import Report
from bog.lighter.guard import AGAIN_NS, Switch, Watch
from bog.lighter.reconcile import LAST_NS, LONGEST_NS, Books

M = 1_000_001


def test_an_engine_that_has_not_come_is_not_silent() -> None:
    watch = Watch()
    assert not watch.look(100 * SECOND, 0, 0, True)
    assert not watch.cancels(100 * SECOND, True)


def test_a_silent_engine_is_canceled_at_once_and_again_while_something_rests() -> None:
    watch, now = Watch(), 100 * SECOND
    assert not watch.look(now, 7, now, True)
    assert watch.look(now + SECOND + 1, 7, now, True)
    assert watch.cancels(now, True) and not watch.cancels(now + AGAIN_NS - 1, True)
    assert watch.cancels(now + AGAIN_NS, True) and not watch.cancels(now + 3 * AGAIN_NS, False)
    assert not watch.look(now + SECOND, 7, now + SECOND, True)
    assert not watch.cancels(now + SECOND, True)


def test_a_dead_engine_is_silent_however_fresh_its_beat() -> None:
    watch = Watch()
    watch.look(0, 7, 0, True)
    assert watch.look(1, 7, 1, False)


def test_the_timer_is_pushed_ahead_each_minute_and_read_back() -> None:
    switch, now = Switch(360_000, 60 * SECOND), SECOND
    assert switch.due(now)
    switch.asked(1_000_000, now)
    assert not switch.due(now + 59 * SECOND) and switch.due(now + 60 * SECOND)
    assert switch.shown(0, now + 4 * SECOND) == "", "it may not have been run yet"
    assert switch.shown(1_000_000, now + 6 * SECOND) == ""
    switch.asked(1_060_000, now + 60 * SECOND)
    assert switch.shown(1_000_000, now + 70 * SECOND) == "", "the one before stands meanwhile"
    assert "stands at 0, asked for 1060000" in switch.shown(0, now + 80 * SECOND)
    assert switch.due(now + 80 * SECOND)


def fill(side: int, qty: int) -> Report:
    return Report(M, ReportKind.REP_FILL, 7, side, 10, qty, 1)


SWEPT = 1 << 62  # every trade was asked for


def test_a_position_moves_with_the_fills_that_were_told() -> None:
    books = Books()
    books.begin(M, 5)
    books.told(fill(Side.BID, 10))
    books.told(fill(Side.ASK, 3))
    books.shown(M, 12)
    assert not books.is_open and books.compare(SECOND, SWEPT) == []
    assert (books.fills, books.fees) == (2, 2)


def test_a_difference_counts_once_when_it_lasts_and_an_answer_shows_it() -> None:
    books, now = Books(), 100 * SECOND
    books.begin(M, 0)
    books.shown(M, 4)
    assert books.compare(now, SWEPT) == [] and books.is_open
    assert books.compare(now + LAST_NS, SWEPT) == [], "nobody has asked since"
    books.shown(M, 4, now + SECOND)
    (found,) = books.compare(now + LAST_NS, SWEPT)
    assert found.text == "position of market 1000001: ours 0, the venue's 4"
    assert books.compare(now + 2 * LAST_NS, SWEPT) == [] and books.differences == 1


def test_a_difference_waits_until_the_trades_since_it_began_were_asked_for() -> None:
    """It halted on a fill whose frame was lost, though the question for trades would have told it."""
    books, now = Books(), 100 * SECOND
    books.begin(M, 751)
    books.shown(M, 1751)
    assert books.compare(now, now - 1) == []
    books.shown(M, 1751, now + SECOND)
    assert books.compare(now + LAST_NS, now - 1) == [], "the trades were asked for before it began"
    books.told(fill(Side.BID, 1000))
    assert books.compare(now + 2 * LAST_NS, now + 1) == [] and not books.is_open
    # and where they cannot be asked for it counts in the end
    books.shown(M, 7, now)
    later = now + 3 * LAST_NS
    assert books.compare(later, now) == []
    books.shown(M, 7, later + SECOND)
    books.shown(M, 7, later + 2 * SECOND)
    assert books.compare(later + LONGEST_NS - 1, now) == []
    assert len(books.compare(later + LONGEST_NS, now)) == 1


def test_a_frame_that_came_before_its_fill_is_no_difference() -> None:
    books, now = Books(), 100 * SECOND
    books.begin(M, 0)
    books.shown(M, 4)
    books.compare(now, SWEPT)
    books.told(fill(Side.BID, 4))
    assert books.compare(now + 9 * LAST_NS, SWEPT) == [] and books.differences == 0


def test_one_wrong_answer_about_a_difference_that_passes_halts_nothing() -> None:
    books, now = Books(), 100 * SECOND
    books.begin(M, 0)
    books.told(fill(Side.ASK, 8))
    assert books.compare(now, SWEPT) == [] and books.is_open  # its frame was lost with the socket
    books.shown(M, 0, now + LAST_NS)
    books.shown(M, 3, now + LAST_NS + SECOND)
    assert books.compare(now + LAST_NS + SECOND, SWEPT) == [], "only one answer has said so"
    books.shown(M, -8, now + LAST_NS + 2 * SECOND)
    assert books.compare(now + 9 * LAST_NS, SWEPT) == [] and not books.is_open


def test_a_difference_that_lasts_counts_while_fills_go_on() -> None:
    books, now = Books(), 100 * SECOND
    books.begin(M, 0)
    books.shown(M, 4, now)
    assert books.compare(now, SWEPT) == []
    books.told(fill(Side.BID, 10))
    books.shown(M, 14, now + LAST_NS)
    (found,) = books.compare(now + LAST_NS, SWEPT)
    assert (found.ours, found.theirs) == (10, 14)
