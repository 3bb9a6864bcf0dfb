"""Several markets in one hot thread: each as if it were alone, until the limit over all binds."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bog import config, run
from bog._core.journal import JournalFile
from bog._core.lane import Lane
from bog._core.loop import Session
from bog._core.market import Market
from bog._core.publisher import Publisher
from bog._core.reader import Reader
from bog._core.source import open_source
from bog._core.stats import StatsPage
from bog._core.types import Halt, Level, Verdict
from bog.journal import read
from bog.spec import SIM_START_NS
from tests.rig.live import Bot, K, of_kind, one_error, records, wait_for

Shared = Callable[[str], Path]
SECONDS = 20
# near enough to the touch that some seconds trade, and warm within some of them
FLAGS: dict[str, Any] = {
    "execution": {"tier": "premium"},
    "strategy": {"simple_spread": {"spread_bps": "0.6", "min_interval_ms": 200}},
}
OFTEN = {
    "BOG_EXECUTION__TIER": "premium",
    "BOG_STRATEGY__SIMPLE_SPREAD__SPREAD_BPS": "0.6",
    "BOG_STRATEGY__SIMPLE_SPREAD__MIN_INTERVAL_MS": "200",
}


class Made:
    """A lane with what a test asks of it afterwards."""

    def __init__(
        self, folder: Path, market: int, seed: int = 1, tape: Path | None = None,
        decimals: tuple[int, int] = (1, 5), seconds: int = SECONDS, base: str | None = None,
    ) -> None:  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        raw = 1_000_000 + market
        chosen = config.load(
            base, flags={**FLAGS, "feed": {"source": "replay:tape" if tape else "sim"}}, environ={}
        )
        scale = {"price_decimals": decimals[0], "size_decimals": decimals[1]}
        venue = chosen.venue_params(1)
        plug: dict[str, Any] = {}
        if tape is None:
            plug["market"] = Market(
                seed, "active", venue={name: venue[name] for name in run.VENUE_FIELDS_OF_MARKET},
                start_ns=SIM_START_NS,
            )  # fmt: skip
        else:
            plug["source"] = open_source(tape, market, **scale)
        spec = {
            "market": raw, "run": 1, "limits": chosen.limits(1),
            "strategy": chosen.strategy_params(1), "venue": venue, **scale, "speed_ppm": 0,
            "duration_ns": seconds * 10**9, "mode": 0,
        }  # fmt: skip
        self.page = StatsPage.create(str(folder / f"page{market}"), raw)
        self.journal = JournalFile(folder, market=raw, run=1, segments=folder, **scale)
        self.lane = Lane(spec, self.page, self.journal, **plug)
        self.lane.start(None)

    def close(self) -> bytes:
        """Return the journal's bytes."""
        assert self.lane.failed() is None
        self.journal.close()
        return Path(self.journal.path).read_bytes()


def alone(folder: Path, *arguments: Any, **more: Any) -> bytes:
    """Return the journal of a lane that has the thread for itself."""
    made = Made(folder, *arguments, **more)
    assert Session([made.lane]).run() == 0
    return made.close()


@pytest.mark.parametrize("n", [2, 5, 8])
def test_markets_in_one_thread_write_the_journals_that_each_writes_alone(
    tmp_path: Path, n: int
) -> None:
    apart = [alone(tmp_path / f"alone{m}", m, seed=m + 1) for m in range(n)]
    made = [Made(tmp_path / "together", m, seed=m + 1) for m in range(n)]
    session = Session([one.lane for one in made], limit=10**15)
    assert session.run() == 0 and session.codes() == [0] * n
    assert [one.close() for one in made] == apart
    pages = [one.page.snapshot() for one in made]
    assert all(page["placed"] > 0 for page in pages)
    assert sum(page["denied"][Verdict.DENY_PORTFOLIO] for page in pages) == 0
    assert len(set(apart)) == n


def test_recordings_of_two_days_and_a_built_in_market_run_side_by_side(
    tmp_path: Path, shared: Shared
) -> None:
    plugs: list[dict[str, Any]] = [
        {"tape": shared("market-data/lighter-btc/frames.jsonl.gz"), "seconds": 0},
        {"tape": shared("market-data/binance-btcusdt-perp/events.csv.gz"), "decimals": (1, 3),
         "base": "binance", "seconds": 0},
        {"seed": 4},
    ]  # fmt: skip
    apart = [alone(tmp_path / f"alone{i}", i + 1, **plug) for i, plug in enumerate(plugs)]
    made = [Made(tmp_path / "together", i + 1, **plug) for i, plug in enumerate(plugs)]
    # quanta of the finest scale: 10^9 quote
    session = Session([one.lane for one in made], limit=10**15)
    assert session.run() == 0
    assert [one.close() for one in made] == apart
    assert all(one.page.snapshot()["books"] > 100 for one in made)


def exposures(made: list[Made]) -> Iterator[tuple[int, bool]]:
    """Yield (worst case of all markets, whether an order just made its market's grow).

    Summed here from the journals, in the order of the loop: time since each market's first event.
    Each market counts at the price of its last order, because a journal does not hold the mid.
    """
    rows = []
    for i, one in enumerate(made):
        start = one.page.snapshot()["start_ns"]
        records = read(one.journal.path).records
        rows += [(int(r["time_ns"]) - start, i, int(r["seq"]), r) for r in records]
    live: list[dict[int, list[int]]] = [{} for _ in made]  # by order: side, size, filled
    pos, px = [0] * len(made), [0] * len(made)

    def worst(j: int, side: int) -> int:
        rest = sum(qty - filled for s, qty, filled in live[j].values() if s == side)
        return (pos[j] if side == 0 else -pos[j]) + rest

    for _, i, _, r in sorted(rows, key=lambda row: row[:3]):
        kind, order, side = int(r["kind"]), int(r["id"]), int(r["side"])
        grew = False
        if kind in (K.J_PLACE, K.J_AMEND):
            filled = live[i][order][2] if order in live[i] else 0
            # an amend counts at the larger of what stood and what is asked for
            qty = max(int(r["qty"]), live[i][order][1] if order in live[i] else 0)
            live[i][order] = [side, qty, filled]
            px[i] = int(r["px"])
            grew = worst(i, side) > abs(pos[i])
        elif kind == K.J_AMENDED and order in live[i]:
            live[i][order][1] = int(r["qty"])
        elif kind == K.J_FILL:
            pos[i] += int(r["qty"]) if side == 0 else -int(r["qty"])
            live[i][order][2] += int(r["qty"])
        elif kind in (K.J_CANCELED, K.J_REJECT, K.J_EXPIRED):
            live[i].pop(order, None)
        yield sum(max(worst(j, 0), worst(j, 1), 0) * px[j] for j in range(len(made))), grew


def test_a_limit_over_all_markets_binds_and_is_never_passed(tmp_path: Path) -> None:
    free = [Made(tmp_path / "free", m, seed=m + 1) for m in range(3)]
    assert Session([one.lane for one in free]).run() == 0
    for one in free:
        one.close()
    most = max(total for total, _ in exposures(free))
    limit = most // 2
    made = [Made(tmp_path / "bound", m, seed=m + 1) for m in range(3)]
    assert Session([one.lane for one in made], limit=limit).run() == 0
    for one in made:
        one.close()
    pages = [one.page.snapshot() for one in made]
    denied = [page["denied"][Verdict.DENY_PORTFOLIO] for page in pages]
    assert sum(denied) > 0 and sum(page["placed"] for page in pages) > 0
    # after an order of ours the sum is within the limit, but for what the mid is from our price
    grown = [total for total, grew in exposures(made) if grew]
    assert grown and max(grown) <= limit * 1.001
    said = [r for one in made for r in read(one.journal.path).records
            if r["kind"] == K.J_DENIED and r["reason"] == Verdict.DENY_PORTFOLIO]  # fmt: skip
    assert said
    # and the same markets under the same limit do the same again
    again = [Made(tmp_path / "again", m, seed=m + 1) for m in range(3)]
    assert Session([one.lane for one in again], limit=limit).run() == 0
    assert [one.close() for one in again] == [Path(o.journal.path).read_bytes() for o in made]


def test_a_market_that_ends_early_leaves_the_others_trading(tmp_path: Path) -> None:
    made = [Made(tmp_path, 1, seconds=3), Made(tmp_path, 2, seconds=SECONDS)]
    session = Session([one.lane for one in made])
    assert session.run() == 0
    spans = [one.page.snapshot()["now_ns"] - one.page.snapshot()["start_ns"] for one in made]
    assert spans[0] < 10 * 10**9 and spans[1] >= (SECONDS - 1) * 10**9
    assert [one.lane.ended_by() for one in made] == ["duration", "duration"]


def test_a_market_that_halts_leaves_the_others_alone(tmp_path: Path) -> None:
    made = [Made(tmp_path / "together", m, seed=m) for m in (1, 2)]
    made[1].page.raise_level(Level.LEVEL_KILLED)
    session = Session([one.lane for one in made])
    assert session.run() == 0
    pages = [one.page.snapshot() for one in made]
    assert [page["halt"] for page in pages] == [Halt.HALT_NONE, Halt.HALT_KILLED]
    assert pages[1]["placed"] == 0 and [one.lane.ended_by() for one in made] == [
        "duration", "signal"
    ]  # fmt: skip
    assert made[0].close() == alone(tmp_path / "alone", 1, seed=1)
    made[1].close()


@pytest.mark.parametrize(
    ("markets", "limit", "why"),
    [((1, 1), 0, "want each once"), ((), 0, "want 1 to 256"), ((1,), 2**60, "want 0 to")],
)
def test_a_session_that_cannot_be_is_refused(
    tmp_path: Path, markets: tuple[int, ...], limit: int, why: str
) -> None:
    made = [Made(tmp_path / str(i), market) for i, market in enumerate(markets)]
    with pytest.raises(ValueError, match=why):
        Session([one.lane for one in made], limit=limit)
    for one in made:
        one.journal.close()


# the command


@pytest.fixture
def bots() -> Iterator[Callable[..., Bot]]:
    """Start bots that do not outlive the test."""
    started: list[Bot] = []

    def start(where: Path, *arguments: object, **more: object) -> Bot:
        started.append(Bot(where, *arguments, **more))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for bot in started:
        bot.kill()


def journal_of(bot: Bot, market: int) -> Path:
    (path,) = bot.folder.glob(f"m{1_000_000 + market}-*.journal")
    return path


def test_bog_live_trades_two_markets_as_it_trades_each(
    bots: Callable[..., Bot], tmp_path: Path
) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[markets.0.feed]\nseed = 7\n[markets.0.risk]\nmax_position = 0.05\n")
    arguments = ["--config", own, "--duration", "20s", "--speed", "max"]
    both = bots(tmp_path / "both", "--market", 0, *arguments, **OFTEN).ends()
    for market in (0, 1):
        one = bots(tmp_path / f"one{market}", *arguments, market=market, **OFTEN).ends()
        assert journal_of(one, market).read_bytes() == journal_of(both, market).read_bytes()
        single = one.report
        (mine,) = (r for r in both.report["markets"] if r["about"]["market"] == market)
        for part in ("fills", "pnl", "inventory", "requests", "refused", "quoting"):
            assert mine[part] == single[part]
        assert {line["market"] for line in one.log if line["event"] == "place"} == {market}
    report = both.report
    assert [one["about"]["market"] for one in report["markets"]] == [1, 0]
    assert [one["about"]["seed"] for one in report["markets"]] == [1, 7]
    total = sum(Decimal(one["pnl"]["total"]) for one in report["markets"])
    assert Decimal(report["totals"]["pnl"]["total"]) == total
    assert {line["market"] for line in both.log if line["event"] == "place"} == {0, 1}
    assert "together" in both.out.read_text()
    assert both.left() == []


def test_a_portfolio_limit_in_the_configuration_refuses_quotes(
    bots: Callable[..., Bot], tmp_path: Path
) -> None:
    bot = bots(
        tmp_path, "--market", 0, "--duration", "20s", "--speed", "max",
        BOG_PORTFOLIO__MAX_EXPOSURE_QUOTE="100", **OFTEN,
    ).ends()  # fmt: skip
    for one in bot.report["markets"]:
        assert one["refused"]["gate"]["DENY_PORTFOLIO"] > 0
        assert one["requests"]["place"] == 0 and one["inventory"]["position"].strip("0.") == ""


def test_a_signal_drains_every_market(bots: Callable[..., Bot], tmp_path: Path) -> None:
    bot = bots(tmp_path, "--market", 0).trading()
    bot.signal(signal.SIGTERM)
    bot.ends()
    for market in (0, 1):
        rows = read(journal_of(bot, market)).records
        assert int(rows[-1]["kind"]) == K.J_END and int(rows[-1]["val"]) == 0
        assert len(of_kind(rows, K.J_LEVEL)) > 0
    assert {one["run"]["ended"] for one in bot.report["markets"]} == {"signal"}


def test_a_damaged_recording_ends_its_market_alone(
    bots: Callable[..., Bot], tmp_path: Path, shared: Shared
) -> None:
    tape = tmp_path / "cut.csv"
    header = "event_type,timestamp_us,side,price,size\n"
    tape.write_text(header + "nonsense,1,2,3,4\n")
    bot = bots(
        tmp_path / "bot", "--market", 0, "--duration", "5s", "--speed", "max",
        BOG_MARKETS__0__FEED__SOURCE=f"replay:{tape}", **OFTEN,
    )  # fmt: skip
    bot.process.wait(60)
    # a file that is no recording at all is refused before anything trades
    assert bot.process.returncode != 0 and str(tape) in one_error(bot.said)


# what is refused before anything trades


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--market", 1], "want each market once"),
        (["--market", 0, "--clear-halt", 1], "start that market alone"),
        (["--market", 7], "markets.7 is not configured"),
    ],
)
def test_two_markets_that_cannot_be(
    bots: Callable[..., Bot], tmp_path: Path, arguments: list[object], words: str
) -> None:
    bot = bots(tmp_path, *arguments)
    assert bot.process.wait(60) in (2, 78)
    assert words in one_error(bot.said)
    assert not list(bot.folder.glob("*"))


def test_a_report_that_cannot_be_written_is_refused_at_the_start(
    bots: Callable[..., Bot], tmp_path: Path
) -> None:
    bot = bots(tmp_path, "--report", tmp_path / "nowhere" / "r.json", "--duration", "1s")
    assert bot.process.wait(60) == 2
    assert "--report" in one_error(bot.said) and not bot.folder.exists()


def test_a_feed_whose_writer_has_ended_is_named_once_at_the_start(
    bots: Callable[..., Bot], tmp_path: Path
) -> None:
    shm = tmp_path / "shm"
    shm.mkdir(mode=0o700)
    Publisher(1, directory=shm, price_decimals=1, size_decimals=5).close()
    bot = bots(tmp_path, "--feed", "huginn").ready()
    said = "no feed of market 1 yet: its writer has ended; waiting for one"
    assert bot.said.count(said) == 1
    assert [line["market"] for line in bot.log if line["event"] == "no_feed"] == [1]
    # and it trades as soon as there is one
    publisher = Publisher(1, directory=shm, price_decimals=1, size_decimals=5)
    publisher.heartbeat()
    wait_for(lambda: len(of_kind(records(bot.folder), K.J_EPOCH)) == 1)
    bot.stop()
    publisher.close()


def test_what_a_market_has_of_its_own_is_shown_and_checked(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[markets.0.risk]\nmax_position = 0.03\n")
    chosen = config.load(str(own), environ={})
    assert (
        chosen.of(0).limits(0)["max_long"] == 300 and chosen.of(1).limits(1)["max_long"] == 10_000
    )
    assert "markets.0.risk.max_position = 0.03" in config.show(chosen)
    plain = config.load(environ={})
    assert config.config_hash(chosen.of(1)) == config.config_hash(plain.of(1))
    assert config.config_hash(chosen.of(0)) != config.config_hash(plain.of(0))
    for text, words in (
        ("max_positon = 1", "risk.max_positon"), ("max_position = -1", "want a number above 0"),
    ):  # fmt: skip
        own.write_text(f"[markets.0.risk]\n{text}\n")
        with pytest.raises(config.ConfigError, match=words):
            config.load(str(own), environ={})
    assert json.dumps(sorted(chosen.markets)) == '["0", "1"]'


# feeds in shared memory, watched by their words


def publish(publisher: Publisher, bid: int, now: int) -> None:
    """Publish a book of two levels a side around `bid`, one tick wide, instead of the one before."""
    publisher.heartbeat(now)
    rows = [(side, bid + 1 - 2 * side + (i if side else -i)) for side in (0, 1) for i in (0, 1)]
    publisher.put(ord("R"), recv_ns=now, exch_ns=time.time_ns(), eom=0)
    for i, (side, px) in enumerate(rows):
        publisher.put(
            ord("L"), side, px, 1000, recv_ns=now, exch_ns=time.time_ns(), eom=int(i == 3)
        )


@pytest.mark.parametrize(("n", "spin"), [(1, True), (3, True), (20, True), (3, False)])
def test_every_feed_is_seen_until_it_ends(tmp_path: Path, n: int, spin: bool) -> None:
    shm = tmp_path / "shm"
    shm.mkdir(mode=0o700)
    scale = {"price_decimals": 1, "size_decimals": 5}
    feeds = [Publisher(market, directory=shm, **scale) for market in range(n)]
    chosen = config.load(flags={**FLAGS, "feed": {"source": "huginn"}}, environ={})
    made, journals = [], []
    for market in range(n):
        raw = 1_000_000 + market
        spec = {
            "market": raw, "run": 1,
            "limits": chosen.limits(1) | {"unix_offset_ns": time.time_ns() - time.monotonic_ns()},
            "strategy": chosen.strategy_params(1), "venue": chosen.venue_params(1), **scale,
            "speed_ppm": 1_000_000, "duration_ns": 0, "mode": 0,
        }  # fmt: skip
        page = StatsPage.create(str(tmp_path / f"page{market}"), raw)
        journals.append(JournalFile(tmp_path, market=raw, run=1, segments=tmp_path, **scale))
        lane = Lane(spec, page, journals[-1], reader=Reader(market, directory=shm))
        lane.start(None)
        made.append((lane, page))
    session = Session([lane for lane, _ in made], 1_000_000, spin)
    thread = threading.Thread(target=session.run)
    thread.start()
    try:
        for turn in range(1, 6):
            for market, feed in enumerate(feeds):
                publish(feed, 1_000_000 + 1000 * market + turn, time.monotonic_ns())
            for market, (_, page) in enumerate(made):
                # shown by the loop itself: nothing else happens in this market
                wait_for(
                    lambda p=page, bid=1_000_001 + 1000 * market + turn: p.snapshot()["bid"] == bid
                )
        # one that ends takes its lane along; the others go on
        feeds[-1].close()
        wait_for(lambda: session.codes()[-1] == 0)
        for market, feed in enumerate(feeds[:-1]):
            publish(feed, 1_500_000, time.monotonic_ns())
            wait_for(lambda p=made[market][1]: p.snapshot()["bid"] == 1_500_001)
    finally:
        made[0][1].raise_level(Level.LEVEL_DRAIN)
        thread.join(60)
    assert not thread.is_alive() and session.codes() == [0] * n
    for journal in journals:
        journal.close()
    for feed in feeds[:-1]:
        feed.close()
