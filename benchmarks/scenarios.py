"""The turns that count.py counts and bench_engine.py times: what happens, and what must come out.

Half a spread is 10 ticks at a mid of 10,000, and a quote moves when it is 3 ticks off.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bog._core.engine import EngineProbe
from bog._core.types import Halt, Level, ReportKind, StateWord, Verdict

Book = Callable[[int], tuple[list[tuple[int, int]], list[tuple[int, int]]]]

MS = 1_000_000
SECOND = 1000 * MS
LIMITS = {
    "max_long": 100, "max_short": 100, "min_order": 1, "max_order": 50, "min_notional": 0,
    "max_notional": 10**12, "max_exposure": 10**12, "min_px": 1, "max_px": 1_000_000,
    "px_step": 1, "qty_step": 1, "collar_ppm": 50_000, "drawdown_ppm": 500_000,
    "drawdown_min_peak": 10**12, "max_daily_loss": 10**12, "balance": 0, "max_leverage_ppm": 0,
    "max_open_orders": 8, "rate_per_min": 10**9, "rate_burst": 1000, "rate_reserve": 2,
    "stale_after_ns": 500 * MS, "unix_offset_ns": 0, "breaker_spread_ppm": 1_000_000,
    "breaker_move_ppm": 1_000_000, "breaker_violations": 3, "max_fills": 255,
    "fills_window_ns": 1, "max_rejects": 255, "rejects_window_ns": 1,
    "max_feed_delay_ns": SECOND, "warm_up_books": 0, "warm_up_ns": 0,
}  # fmt: skip
STRATEGY = {
    "half_ppm": 1000, "skew_ppm": 0, "maker_ppm": 0, "edge_ppm": 0, "min_spread_ppm": 0,
    "max_spread_ppm": 1_000_000, "order_qty": 10, "min_order": 1, "max_pos": 100,
    "min_valid_px": 1, "max_valid_px": 1_000_000, "min_touch_qty": 1, "requote_ticks": 3,
    "size_off_ppm": 250_000, "min_interval_ns": 0, "order_life_ns": 0, "expiry_margin_ns": 0,
    "own_in_book": 0,
}  # fmt: skip


def around(mid: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return a full book around `mid`: ten levels a side, two ticks wide."""
    return [(mid - 1 - i, 5 + i) for i in range(10)], [(mid + 1 + i, 5 + i) for i in range(10)]


def touch(mid: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return a book around `mid` of one level a side, two ticks wide."""
    return [(mid - 1, 5)], [(mid + 1, 5)]


def fresh(**limits: int) -> EngineProbe:
    """Return an engine that has seen nothing."""
    return EngineProbe(LIMITS | limits, STRATEGY)


def quoting(book: Book = around, **strategy: int) -> EngineProbe:
    """Return an engine whose bid (order 1) and ask (order 2) rest."""
    probe = EngineProbe(LIMITS, STRATEGY | strategy)
    for c in probe.book(SECOND, *book(10_000))[1]:
        probe.report(SECOND, ReportKind.REP_ACK, c["order_id"], c["side"], venue_id=c["order_id"])
    return probe


def one_sided() -> EngineProbe:
    """Return an engine that holds all it may: its bid was filled, its ask rests."""
    probe = quoting(max_pos=10)
    fill(probe)
    return probe


def holding() -> EngineProbe:
    """Return an engine that quotes with a shift: it holds 40 lots of at most 100."""
    probe = EngineProbe(LIMITS, STRATEGY | {"skew_ppm": 100})
    probe.restore(StateWord.W_POS, 40)
    for c in probe.book(SECOND, *around(10_000))[1]:
        probe.report(SECOND, ReportKind.REP_ACK, c["order_id"], c["side"], venue_id=c["order_id"])
    return probe


@dataclass(frozen=True)
class Scenario:
    """One kind of turn. `run` takes n of them and returns (records, commands), summed."""

    name: str
    prepare: Callable[[], EngineProbe]
    run: Callable[[EngineProbe, int], tuple[int, int]]
    commands: int  # a turn must give
    target: int | None = None  # instructions a turn, design.md section 7
    denied: int | None = None  # the one verdict that must be counted, beside ALLOW


def books(
    first: int, second: int, book: Book = around
) -> Callable[[EngineProbe, int], tuple[int, int]]:
    """Return a run over books around two mids in turn; every command is answered."""
    return lambda probe, n: probe.alternate(n, SECOND, book(first), book(second))


def again(event: Callable[[EngineProbe], Any]) -> Callable[[EngineProbe, int], tuple[int, int]]:
    """Return a run of one event, each time from the state before it."""

    def run(probe: EngineProbe, n: int) -> tuple[int, int]:
        records, commands = event(probe)
        more_records, more_commands = probe.again(n - 1)
        return len(records) + more_records, len(commands) + more_commands

    return run


def show(probe: EngineProbe) -> Any:
    return probe.book(SECOND, *around(10_000))


def refused(verdict: Verdict, **limits: int) -> Scenario:
    """Return a first book whose both quotes are refused, or may not even stand, for one reason."""
    name = f"refused: {verdict.name[5:].lower()}"
    return Scenario(name, lambda: fresh(**limits), again(show), 0, denied=verdict)


def at_level(level: Level) -> Callable[[], EngineProbe]:
    def prepare() -> EngineProbe:
        probe = fresh()
        probe.level(1, level)
        return probe

    return prepare


def halted() -> EngineProbe:
    probe = fresh()
    probe.restore(StateWord.W_HALT, Halt.HALT_MARKET)
    return probe


def paused_with_cancels() -> EngineProbe:
    probe = quoting()
    probe.level(SECOND, Level.LEVEL_PAUSED)
    return probe


def crossed(probe: EngineProbe) -> Any:
    return probe.book(SECOND, [(10_001, 5)], [(9_999, 5)])


def silent(probe: EngineProbe) -> Any:
    return probe.book(SECOND, *around(10_000), alive_ns=0)


def fill(probe: EngineProbe) -> Any:
    return probe.report(SECOND, ReportKind.REP_FILL, 1, 0, 9_990, 10, venue_id=7)


def canceled(probe: EngineProbe) -> Any:
    return probe.report(SECOND, ReportKind.REP_CANCELED, 1, 0)


SCENARIOS = [
    Scenario("unchanged", quoting, books(10_000, 10_000), 0, 100),
    Scenario("hold", quoting, books(10_001, 10_000), 0, 320),
    Scenario("requote both", quoting, books(10_005, 10_000), 2, 600),
    Scenario("requote one side", one_sided, books(10_005, 10_000), 1),
    Scenario("unchanged, touch only", lambda: quoting(touch), books(10_000, 10_000, touch), 0),
    Scenario("hold, touch only", lambda: quoting(touch), books(10_001, 10_000, touch), 0),
    Scenario("requote both, touch only", lambda: quoting(touch), books(10_005, 10_000, touch), 2),
    Scenario("hold, with a shift", holding, books(10_001, 10_000), 0),
    Scenario("requote both, with a shift", holding, books(10_005, 10_000), 2),
    # too far for what the last decision found: the long way of a turn
    Scenario("requote both, a jump", lambda: quoting(half_ppm=5000), books(10_050, 10_000), 2),
    Scenario("place both", fresh, again(show), 2),
    Scenario("fill, and quote again", quoting, again(fill), 1),
    Scenario("cancel proven", paused_with_cancels, again(canceled), 0),
    # an operator's level counts as no refusal
    Scenario("refused: killed", at_level(Level.LEVEL_DRAIN), again(show), 0),
    Scenario("refused: paused", at_level(Level.LEVEL_PAUSED), again(show), 0),
    Scenario("refused: halted", halted, again(show), 0, denied=Verdict.DENY_HALTED),
    Scenario("refused: stale", fresh, again(silent), 0, denied=Verdict.DENY_STALE),
    Scenario("refused: book", fresh, again(crossed), 0, denied=Verdict.DENY_BOOK),
    refused(Verdict.DENY_TICK, px_step=4),
    refused(Verdict.DENY_LOT, qty_step=7),
    refused(Verdict.DENY_BAND, max_px=9_000),
    refused(Verdict.DENY_COLLAR, collar_ppm=10),
    refused(Verdict.DENY_MIN_SIZE, min_order=20),
    refused(Verdict.DENY_MAX_SIZE, max_order=5),
    refused(Verdict.DENY_POSITION, max_long=5, max_short=5),
    refused(Verdict.DENY_OPEN_ORDERS, max_open_orders=0),
    refused(Verdict.DENY_NOTIONAL, max_notional=1),
    refused(Verdict.DENY_RATE, rate_burst=1),
    refused(Verdict.DENY_BALANCE, max_leverage_ppm=1),
]


def play(scenario: Scenario, turns: int) -> None:
    """Take `turns` turns; SystemExit when they are not what the scenario's name says."""
    probe = scenario.prepare()
    before = probe.denied()
    probe.halted()  # count.py cuts its counts here
    _, commands = scenario.run(probe, turns)
    probe.halted()
    if commands != scenario.commands * turns:
        raise SystemExit(
            f"{scenario.name}: {commands} commands in {turns} turns, not {scenario.commands} each"
        )
    counted = {i for i, (a, b) in enumerate(zip(before, probe.denied(), strict=True)) if a != b}
    wanted = set() if scenario.denied is None else {int(scenario.denied)}
    if counted - {int(Verdict.ALLOW)} != wanted:
        raise SystemExit(f"{scenario.name}: refused for {counted}, not {wanted}")
