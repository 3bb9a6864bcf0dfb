"""Rows 70 to 75: what a signal does to a running bot, whenever and however often it comes."""

import ctypes
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bog._core.stats import StatsPage
from bog._core.types import Halt, Level
from tests.rig.canary import Canary
from tests.rig.fault import Repeats, percentile
from tests.rig.live import (
    PATIENCE_S,
    ROOT,
    Bot,
    K,
    environment,
    fold,
    is_drained,
    of_kind,
    records,
    wait_for,
)

USR1, USR2, INT, TERM = signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGTERM
IGNORED = [signal.SIGALRM, signal.SIGPIPE, signal.SIGXFSZ]
DRAINING = [signal.SIGHUP, signal.SIGQUIT, signal.SIGXCPU]
# a venue that answers at once, and a strategy that sends often
AT_ONCE = {
    "BOG_VENUE__NET_LATENCY_MS": "0",
    "BOG_VENUE__RESPONSE_LATENCY_MS": "0",
    "BOG_EXECUTION__TIER": "premium_500k",
    "BOG_STRATEGY__SIMPLE_SPREAD__MIN_INTERVAL_MS": "0",
}
Bots = Callable[..., Bot]
Place = Callable[[], Path]


def page_of(bot: Bot) -> StatsPage:
    """Return the page, which stays readable when the bot has removed it."""
    return StatsPage.open(str(bot.shm / f"bog_m{bot.raw}.{bot.pid}"))


def first(page: StatsPage, canary: Canary, what: Callable[[dict[str, Any]], bool]) -> int:
    """Return the monotonic time at which the page first shows `what`; our own stalls are told."""
    began = before = time.monotonic_ns()
    while not what(page.snapshot()):
        now = time.monotonic_ns()
        if now - before > 2_000_000:
            canary.saw(before, now)
        before = now
        assert now - began < PATIENCE_S * 1e9
    return time.monotonic_ns()


def times(canary: Canary, spans: list[tuple[int, int]]) -> list[float]:
    """Return each span in ms, less what the machine withheld meanwhile."""
    return [(end - begin - canary.stalled_ns(begin, end)) / 1e6 for begin, end in spans]


def in_words(name: str, ms: list[float]) -> str:
    low, high = percentile(ms, 0.5), percentile(ms, 0.99)
    return f"{name} p50 {low:.1f} ms, p99 {high:.1f} ms, worst {max(ms):.1f} ms"


def no_create_after(bot: Bot, level: Level) -> bool:
    """Return whether nothing was placed or amended from that level on."""
    rows = records(bot.folder)
    taken = of_kind(rows, K.J_LEVEL)
    begin = int(taken[taken["state"] >= level]["seq"][0])
    return len(of_kind(rows[rows["seq"] > begin], K.J_PLACE, K.J_AMEND)) == 0


def test_fault_70_term_and_int_drain_at_any_moment(
    repeats: Repeats, bots: Bots, place: Place, canary: Canary
) -> None:
    where, spans = place(), []
    for number, rng in repeats(70, full=1_000):
        bot = bots(where, **AT_ONCE)
        if number % 5 == 4:  # while it starts; from its name on a signal has its meaning
            comm = Path(f"/proc/{bot.pid}/comm")
            wait_for(lambda comm=comm: comm.read_text() == "bog-live\n")
            time.sleep(rng.uniform(0, 0.4))
            bot.signal(rng.choice([TERM, INT]))
        else:
            bot.trading()
            page = page_of(bot)
            time.sleep(rng.uniform(0, 0.1))
            begin = time.monotonic_ns()
            bot.signal(rng.choice([TERM, INT]))
            spans.append((begin, first(page, canary, lambda p: p["state"] > 1 and not p["orders"])))
        bot.ends()
        assert is_drained(bot.folder), bot.said
        assert no_create_after(bot, Level.LEVEL_DRAIN)
        assert bot.left() == []
    empty = times(canary, spans)
    repeats.note(f"{in_words('book empty', empty)}; {canary.total()}")
    assert percentile(empty, 0.99) <= 1_000


def test_fault_70_no_proof_within_30_s_exits_3_with_the_open_list(
    repeats: Repeats, bots: Bots, place: Place
) -> None:
    """The market's clock runs 50 times as fast, and a cancel takes a minute of it."""
    for _ in repeats(70, sample=2):
        slow = {"BOG_VENUE__RESPONSE_LATENCY_MS": "60000"}
        bot = bots(place(), "--speed", "50", **slow).ready()
        wait_for(lambda bot=bot: bot.page()["orders"])
        bot.signal(TERM)
        bot.ends(3)
        assert "orders were not proven dead in 30 s" in bot.said
        end = records(bot.folder)[-1]
        assert int(end["kind"]) == K.J_END and int(end["val"]) == 3
        assert fold(bot.folder).orders


def test_fault_71_usr1_pulls_everything_at_once_and_is_latched(
    repeats: Repeats, bots: Bots, place: Place, canary: Canary
) -> None:
    where, halt = place(), 0
    wire, empty = [], []
    for number, rng in repeats(71, full=1_000):
        if halt and number % 10 == 0:  # a restart that does not name the halt trades nothing
            held = bots(where, "--duration", "5s", "--speed", "max", **AT_ONCE).ends()
            rows = records(held.folder)
            assert len(of_kind(rows, K.J_PLACE)) == 0 and len(of_kind(rows, K.J_DENIED)) > 0
            assert f"HALTED by KILLED: nothing is quoted; --clear-halt {halt}" in held.said
        bot = bots(where, *(["--clear-halt", halt] if halt else []), **AT_ONCE).trading()
        page = page_of(bot)
        time.sleep(rng.uniform(0, 0.1))
        begin = time.monotonic_ns()
        bot.signal(USR1)
        # the step that takes the level stores the cancels, and the page shows it afterwards
        wire.append((begin, first(page, canary, lambda p: p["level"] == Level.LEVEL_KILLED)))
        empty.append((begin, first(page, canary, lambda p: not p["orders"])))
        bot.ends()
        assert no_create_after(bot, Level.LEVEL_KILLED) and is_drained(bot.folder)
        last = of_kind(records(bot.folder), K.J_HALT)[-1]
        assert int(last["reason"]) == Halt.HALT_KILLED
        halt = int(last["id"])
    on_wire, emptied = times(canary, wire), times(canary, empty)
    repeats.note(
        f"{in_words('cancels journaled', on_wire)}; {in_words('book empty', emptied)};"
        f" {canary.total()}"
    )
    assert percentile(on_wire, 0.99) <= 10
    assert percentile(emptied, 0.99) <= 50


def test_fault_72_usr2_toggles_between_run_and_paused_only(
    repeats: Repeats, bots: Bots, place: Place
) -> None:
    bot = bots(place(), **AT_ONCE).trading()
    done = 0
    for number, _ in repeats(72):
        want = Level.LEVEL_RUN if number % 2 else Level.LEVEL_PAUSED
        bot.signal(USR2)
        wait_for(lambda want=want: bot.page()["level"] == want)
        if want == Level.LEVEL_PAUSED:
            wait_for(lambda: not bot.page()["orders"])
        done += 1
    bot.signal(TERM)
    bot.signal(USR2)
    bot.ends()
    taken = of_kind(records(bot.folder), K.J_LEVEL)["state"].tolist()
    toggles = [Level.LEVEL_PAUSED, Level.LEVEL_RUN] * done
    assert taken == [*toggles[:done], Level.LEVEL_DRAIN]


def storm(bot: Bot, numbers: list[signal.Signals], seconds: float, rng: random.Random) -> int:
    """Send signals to random threads of bog-live as fast as the kernel takes them; return how many."""
    tgkill = ctypes.CDLL(None, use_errno=True).syscall
    until, sent = time.monotonic() + seconds, 0
    while time.monotonic() < until and bot.process.poll() is None:
        try:
            threads = [int(name) for name in os.listdir(f"/proc/{bot.pid}/task")]
        except FileNotFoundError:
            break
        for _ in range(500):
            # 234 is tgkill on x86-64, 131 elsewhere
            tgkill(234 if os.uname().machine == "x86_64" else 131, bot.pid, rng.choice(threads),
                   int(rng.choice(numbers)))  # fmt: skip
            sent += 1
    return sent


def run_again(bot: Bot) -> None:
    """Take a bot back to RUN after a storm, whose last signals may still be on their way."""
    for _ in range(100):
        time.sleep(0.1)
        if bot.page()["level"] == Level.LEVEL_RUN:
            return
        bot.signal(USR2)
    raise AssertionError(f"level {bot.page()['level']} after a hundred toggles")


def test_fault_73_storms_lose_no_kill_and_leave_nothing_behind(
    repeats: Repeats, bots: Bots, place: Place
) -> None:
    """Four storms a life: start and recovery, trading twice, shutdown."""
    where, halt, bot = place(), 0, None
    sent, spent, rate = 0, 0.0, 0.0
    lives = killed = 0
    for number, rng in repeats(73, sample=52):
        phase = number % 4
        if bot is None:
            bot = bots(where, *(["--clear-halt", halt] if halt else []))
            comm = Path(f"/proc/{bot.pid}/comm")
            wait_for(lambda comm=comm: comm.read_text() == "bog-live\n")
        deadly = [TERM, INT, USR1, USR2, *IGNORED, signal.SIGHUP] if phase == 3 else []
        began = time.monotonic()
        count = storm(bot, deadly or [USR2, *IGNORED], rng.uniform(0.1, 0.4), rng)
        sent, spent = sent + count, spent + time.monotonic() - began
        rate = max(rate, count / (time.monotonic() - began))
        if phase != 3:
            run_again(bot.ready())
            continue
        bot.signal(USR1) if bot.process.poll() is None else None
        bot.ends()
        assert is_drained(bot.folder), bot.said
        taken = of_kind(records(bot.folder), K.J_LEVEL)["state"].tolist()
        top = next(n for n, level in enumerate(taken) if level >= Level.LEVEL_DRAIN)
        assert taken[top:] == sorted(taken[top:])
        assert all(a != b for a, b in pairwise(taken))
        halts = of_kind(records(bot.folder), K.J_HALT)
        # a kill is latched, unless the drain of the signal before it had ended: nothing was left
        was_killed = taken[-1] == Level.LEVEL_KILLED
        assert halts["reason"].tolist() == [Halt.HALT_KILLED] * was_killed
        assert bot.left() == []
        lives, killed = lives + 1, killed + was_killed
        halt, bot = int(halts["id"][0]) if was_killed else 0, None
    assert killed > lives // 2
    repeats.note(
        f"{sent} signals, {sent / spent:.0f} a second, {rate:.0f} in the fastest storm;"
        f" {killed} of {lives} lives ended killed, the others had drained before"
    )


LONG_C = """
import sys
from bog._core.stats import StatsPage
page = StatsPage.open(sys.argv[1], writable=True)
page.install_signals(whole=True)
print("ready", flush=True)
sum(range(1 << 62))  # one call of C, without end, that holds the interpreter
"""


def test_fault_74_a_signal_acts_while_the_process_is_inside_c(
    repeats: Repeats, tmp_path: Path, canary: Canary
) -> None:
    page = StatsPage.create(str(tmp_path / "page"), 1_000_001)
    child = subprocess.Popen(
        [sys.executable, "-c", LONG_C, str(tmp_path / "page")], env=environment(),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    spans = []
    try:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        steps = [(USR2, Level.LEVEL_PAUSED), (USR2, Level.LEVEL_RUN)]
        for number, _ in repeats(74):
            sig, level = steps[number % 2]
            begin = time.monotonic_ns()
            child.send_signal(sig)
            while page.level != level:
                assert time.monotonic_ns() - begin < PATIENCE_S * 1e9
            spans.append((begin, time.monotonic_ns()))
        for sig, level in ((TERM, Level.LEVEL_DRAIN), (USR1, Level.LEVEL_KILLED)):
            child.send_signal(sig)
            wait_for(lambda level=level: page.level == level)
        assert child.poll() is None  # Python itself has not even begun to look
    finally:
        child.kill()
        child.communicate()
    ms = times(canary, spans)
    repeats.note(f"{in_words('level raised', ms)}; {canary.total()}")
    assert percentile(ms, 0.99) <= 50


FORGOTTEN = """
import gc, os, signal, sys
from bog._core.stats import StatsPage
page = StatsPage.open(sys.argv[1], writable=True)
page.install_signals(whole=True)
del page
gc.collect()
os.kill(os.getpid(), signal.SIGUSR2)
"""


def test_a_signal_after_the_page_was_forgotten_finds_its_word(tmp_path: Path) -> None:
    """The last storm of row 73 ended a bot by SIGSEGV: its page was unmapped, its handlers not."""
    page = StatsPage.create(str(tmp_path / "page"), 1_000_001)
    line = [sys.executable, "-c", FORGOTTEN, str(tmp_path / "page")]
    assert subprocess.run(line, env=environment(), check=False).returncode == 0
    assert page.level == Level.LEVEL_PAUSED


def test_fault_75_every_other_signal_has_its_row_in_the_table(
    repeats: Repeats, bots: Bots, place: Place
) -> None:
    where = place()
    bot = bots(where, **AT_ONCE).trading()
    ends = 0
    for number, rng in repeats(75):
        for sig in rng.sample(IGNORED, len(IGNORED)):
            bot.signal(sig)
            os.kill(bot.engine(), sig)
        os.kill(bot.engine(), rng.choice([INT, USR1, USR2, signal.SIGHUP, signal.SIGQUIT]))
        turns = bot.page()["turns"]
        wait_for(lambda bot=bot, turns=turns: bot.page()["turns"] > turns)
        assert bot.page()["level"] == Level.LEVEL_RUN and bot.process.poll() is None
        if number % 16 == 15:
            bot.signal(DRAINING[ends % len(DRAINING)])
            bot.ends()
            assert is_drained(bot.folder) and not list(where.glob("core*"))
            ends += 1
            bot = bots(where, **AT_ONCE).trading()
    os.kill(bot.engine(), signal.SIGXCPU)  # the engine's own processor limit
    bot.ends()
    assert is_drained(bot.folder)
    repeats.note(f"{ends + 1} of the lives ended by a signal that drains")


@pytest.mark.parametrize("name", ["HUP", "QUIT", "XCPU", "ALRM", "PIPE", "XFSZ", "TERM", "INT",
                                  "USR1", "USR2"])  # fmt: skip
def test_the_table_of_signals_is_documented(name: str) -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    assert f"| SIG{name} |" in text
    assert f"SIG{name}, " in (ROOT / "bog" / "_core" / "level.h").read_text()
