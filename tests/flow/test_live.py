"""The command as a user runs it: markets, recordings, what the report says, what is refused."""

import subprocess
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from bog._core.types import StateWord
from bog.journal import read
from tests.rig.live import (
    PATIENCE_S,
    Bot,
    K,
    command,
    environment,
    fold,
    is_drained,
    of_kind,
    one_error,
    position,
    records,
    runs,
)

Shared = Callable[[str], Path]
BINANCE = "market-data/binance-btcusdt-perp/events.csv.gz"
FRAMES = "market-data/lighter-btc/frames.jsonl.gz"
RECORDINGS = {"binance": (BINANCE, ["--config", "binance"]), "lighter": (FRAMES, [])}
# near enough to the touch that half a minute of a recording trades
NEAR = {
    "BOG_STRATEGY__SIMPLE_SPREAD__SPREAD_BPS": "0.5",
    "BOG_STRATEGY__SIMPLE_SPREAD__SKEW_BPS": "1",
    "BOG_STRATEGY__SIMPLE_SPREAD__REQUOTE_TICKS": "0",
    "BOG_STRATEGY__SIMPLE_SPREAD__MIN_INTERVAL_MS": "1000",
}


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


def check_report(bot: Bot, scale: int) -> dict:
    """Compare a report with its run's journal, by sums made here; return it."""
    report, rows = bot.report, records(bot.folder)
    fills = of_kind(rows, K.J_FILL)
    assert report["fills"]["count"] == len(fills) == sum(report["fills"]["by_side"].values())
    assert report["fills"]["by_side"] == {
        "bid": int((fills["side"] == 0).sum()), "ask": int((fills["side"] == 1).sum())
    }  # fmt: skip
    assert report["fills"]["count"] == sum(report["fills"]["by_reason"].values())
    quanta = Decimal(1).scaleb(-scale)
    assert Decimal(report["fills"]["volume"]) == int((fills["px"] * fills["qty"]).sum()) * quanta
    pnl = {name: Decimal(report["pnl"][name]) for name in
           ("capture", "inventory", "fees", "funding", "total")}  # fmt: skip
    assert pnl["capture"] + pnl["inventory"] + pnl["fees"] + pnl["funding"] == pnl["total"]
    assert pnl["fees"] == -int(fills["val"].sum()) * quanta
    lots = Decimal(1).scaleb(-report["about"]["size_decimals"])
    held = Decimal(report["inventory"]["position"])
    assert held == position(bot.folder) * lots == fold(bot.folder).words[StateWord.W_POS] * lots
    places, amends, cancels = (len(of_kind(rows, k)) for k in (K.J_PLACE, K.J_AMEND, K.J_CANCEL))
    requests = report["requests"]
    assert (requests["place"], requests["amend"], requests["cancel"]) == (places, amends, cancels)
    assert requests["count"] == places + amends + cancels > 0
    assert report["run"]["open_orders"] == 0 and is_drained(bot.folder)
    refused = report["refused"]["venue"]
    said = of_kind(rows, K.J_REJECT, K.J_CANCEL_REJECT, K.J_AMEND_REJECT, K.J_CANCELED)
    assert sum(refused.values()) == int((said["reason"] > 0).sum())
    assert sum(report["refused"]["gate"].values()) > 0
    span = Decimal(report["run"]["market_sec"])
    for side in ("bid", "ask"):
        idle = report["quoting"]["not_quoting_sec"][side]
        assert idle and 0 < sum(map(Decimal, idle.values())) < span
    every = [m for m in report["markouts"] if m["side"] == m["reason"] == "all"]
    assert {m["horizon_ms"] for m in every} >= {100, 1000, 10_000}
    assert {m["horizon_ms"]: m["fills"] for m in every}[100] == len(fills)
    return report


# the built-in market


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_default_run_fills_on_both_sides_within_two_minutes(
    bots: Callable[..., Bot], tmp_path: Path, seed: int
) -> None:
    first, again = (
        bots(tmp_path / name, "--duration", "120s", "--speed", "max", "--seed", seed)
        for name in ("a", "b")
    )
    first.ends()
    again.ends()
    report = check_report(first, 6)
    assert report["fills"]["by_side"]["bid"] > 0 and report["fills"]["by_side"]["ask"] > 0
    assert report["about"]["fill_model"] == "queue" and report["about"]["seed"] == seed
    assert report["run"]["ended"] == "duration"
    assert 118 < Decimal(report["run"]["market_sec"]) < 151
    said = first.out.read_text()
    assert "fill model  queue" in said and f"match {report['fills']['count']}" in said
    mine, other = (runs(bot.folder) for bot in (first, again))
    assert len(mine) == len(other) == 1
    assert mine[0].read_bytes() == other[0].read_bytes()
    fills = [line for line in first.log if line["event"] == "fill"]
    assert len(fills) == report["fills"]["count"]
    assert {line["reason"] for line in fills} == {"match"}
    assert first.left() == []


def test_seeds_differ(bots: Callable[..., Bot], tmp_path: Path) -> None:
    texts = set()
    for seed in (1, 2):
        bot = bots(tmp_path / str(seed), "--duration", "5s", "--speed", "max", "--seed", seed)
        texts.add(records(bot.ends().folder)["px"].tobytes())
    assert len(texts) == 2


# recordings


@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_recording_runs_to_its_end_and_again_byte_for_byte(
    bots: Callable[..., Bot], tmp_path: Path, shared: Shared, name: str
) -> None:
    path, more = RECORDINGS[name]
    arguments = ["--feed", f"replay:{shared(path)}", "--speed", "max", *more]
    began = time.monotonic()
    first, again = (bots(tmp_path / folder, *arguments, **NEAR) for folder in ("a", "b"))
    first.ends()
    again.ends()
    assert time.monotonic() - began < 60
    report = check_report(first, 4 if name == "binance" else 6)
    assert report["about"]["fill_model"] == "risk"
    assert report["run"]["ended"] == "end of data"
    assert set(report["fills"]["by_reason"]) <= {"queue", "through", "cross"}
    assert report["fills"]["count"] > 0 and report["run"]["books"] > 100
    assert runs(first.folder)[0].read_bytes() == runs(again.folder)[0].read_bytes()


@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_premium_fee_of_every_fill_is_rounded_up_to_the_quantum(
    bots: Callable[..., Bot], tmp_path: Path, shared: Shared, name: str
) -> None:
    path, more = RECORDINGS[name]
    wide = ["--feed", f"replay:{shared(path)}", "--speed", "max", "--tier", "premium", *more]
    # the fee floor keeps a quote 40 ppm from the mid; a skew and nothing else brings it nearer
    bot = bots(tmp_path, *wide, **NEAR).ends()
    report = check_report(bot, 4 if name == "binance" else 6)
    fills = of_kind(records(bot.folder), K.J_FILL)
    ppm = report["about"]["maker_ppm"]
    assert ppm == 40 and report["fills"]["count"] > 0
    fees = [-(-int(f["px"]) * int(f["qty"]) * ppm // 1_000_000) for f in fills]
    assert [int(fee) for fee in fills["val"]] == fees
    assert Decimal(report["pnl"]["fees"]) < 0


# what is refused


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--market", "7"], 78, ["markets.7", "0, 1"]),
        (["--market", "x"], 2, ["--market", "'x'", "integer"]),
        ([], 2, ["--market"]),
        (["--market", "1", "--feed", "ether"], 78, ["feed.source", "'ether'", "sim, huginn"]),
        (
            ["--market", "1", "--feed", "lightning"],
            78,
            ["feed.source", "'lightning'", "replay:FILE"],
        ),
        (["--market", "1", "--feed", "replay:/nowhere.csv"], 1, ["/nowhere.csv", "No such file"]),
        (["--market", "1", "--feed", "huginn"], 1, ["no feed of market 1", "bog-feed --market 1"]),
        (["--market", "1", "--config", "/nowhere.toml"], 78, ["/nowhere.toml", "No such file"]),
        (["--market", "1", "--mode", "live"], 78, ["execution.mode", "live", "want --arm TOKEN"]),
        (["--market", "1", "--cpu", "99"], 78, ["--cpu 99", "want one of 0"]),
        (["--market", "1", "--duration", "2x"], 2, ["--duration", "'2x'", "120s"]),
        (["--market", "1", "--duration", "0"], 2, ["--duration", "'0'", "120s"]),
        (["--market", "1", "--speed", "max"], 2, ["--speed max", "--duration"]),
        (["--market", "1", "--speed", "0"], 78, ["feed.speed", "'0'", "max, or a number"]),
        (["--market", "1", "--preset", "wild"], 78, ["feed.preset", "'wild'", "'quiet'"]),
        (["--market", "1", "--tier", "gold"], 78, ["execution.tier", "'gold'", "standard"]),
        (["--market", "1", "--seed", "-1"], 2, ["--seed", "-1", "x>=0"]),
        (["--market", "1", "--wrong"], 2, ["--wrong", "--config"]),
        (["--market", "1", "--feed-dir", "/nowhere"], 78, ["/nowhere", "No such file"]),
    ],
)
def test_bad_usage_is_one_line_that_says_what_would_be_right(
    tmp_path: Path, arguments: list[str], code: int, words: list[str]
) -> None:
    (tmp_path / "shm").mkdir()
    own = ["--journal", "journal"]
    if "--feed-dir" not in arguments:
        own += ["--feed-dir", "shm"]
    done = subprocess.run(
        command(*own, *arguments), cwd=tmp_path, env=environment(), capture_output=True, text=True,
        check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    line = one_error(done.stderr)
    assert [word for word in words if word not in line] == [], line
    assert done.stdout == ""
    assert list((tmp_path / "shm").iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("BOG_RISK__MAX_POSTION", "1", ["risk.max_postion", "did you mean risk.max_position"]),
        ("BOG_RISK__MAX_POSITION", "0.000001", ["risk.max_position", "multiple of 0.00001"]),
        ("BOG_RISK__MAX_POSITION", "nan", ["risk.max_position", "'nan'", "want a number"]),
        ("BOG_RISK__MIN_PRICE", "1.05", ["risk.min_price", "1.05", "multiple of 0.1"]),
    ],
)
def test_bad_variable_is_one_line_that_names_it(
    tmp_path: Path, variable: str, value: str, words: list[str]
) -> None:
    done = subprocess.run(
        command("--market", "1", "--feed-dir", "."), cwd=tmp_path,
        env=environment(**{variable: value}), capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 78 and done.stdout == ""
    line = one_error(done.stderr)
    assert [word for word in [*words, f"variable {variable}"] if word not in line] == [], line


@pytest.mark.parametrize("dry_run", ["false", "true"])
def test_live_without_a_token_is_refused_before_anything_else(tmp_path: Path, dry_run: str) -> None:
    done = subprocess.run(
        command("--market", 1, "--config", "production", "--mode", "live", "--feed-dir", "."),
        cwd=tmp_path, env=environment(BOG_EXECUTION__DRY_RUN=dry_run), capture_output=True,
        text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 78 and done.stdout == ""
    line = one_error(done.stderr)
    assert "execution.mode" in line and "want --arm TOKEN" in line and "bog-arm" in line


def test_show_config_gives_origins_and_keeps_secrets(tmp_path: Path) -> None:
    secret = "https://hooks.example.com/T0/secret-part"
    done = subprocess.run(
        command("--market", 1, "--show-config", "--seed", 9), cwd=tmp_path, capture_output=True,
        text=True, check=False, timeout=PATIENCE_S,
        env=environment(BOG_MONITORING__ALERT_WEBHOOK_URL=secret, BOG_RISK__MAX_POSITION="0.07"),
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == ""
    keys = {line.split(" = ")[0]: line.split(" = ", 1)[1] for line in done.stdout.splitlines()}
    assert keys["feed.seed"].split() == ["9", "#", "flag"]
    origin = ["0.07", "#", "variable", "BOG_RISK__MAX_POSITION"]
    assert keys["risk.max_position"].split() == origin
    assert keys["risk.max_leverage"].split()[-1] == "default.toml"
    assert "**********" in keys["monitoring.alert_webhook_url"]
    assert "secret-part" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_help_teaches(tmp_path: Path) -> None:
    done = subprocess.run(
        command("--help"), cwd=tmp_path, env=environment(), capture_output=True, text=True,
        check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == ""
    for words in ("bog-live --market 1", "--feed huginn", "SIGUSR2", "--clear-halt", "Exit codes",
                  "75 journal damaged", "BOG_RISK__MAX_POSITION"):  # fmt: skip
        assert words in done.stdout


def test_journal_of_a_finished_run_reads_whole(bots: Callable[..., Bot], tmp_path: Path) -> None:
    bot = bots(tmp_path, "--duration", "5s", "--speed", "max").ends()
    run = read(runs(bot.folder)[0])
    assert run.torn == 0 and run.records["kind"][0] == K.J_RUN
    assert list(run.records["seq"]) == list(range(1, len(run.records) + 1))
