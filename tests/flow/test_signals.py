"""Signals to a running bot: what they do, when they come early, late, often, or from a terminal."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from bog._core.types import Halt, Level
from tests.rig.live import (
    PATIENCE_S,
    Bot,
    K,
    command,
    environment,
    is_drained,
    of_kind,
    position,
    records,
    runs,
    wait_for,
)

USR1, USR2, INT, TERM = signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGTERM


def levels(bot: Bot) -> list[int]:
    """Return the levels that the journal says were taken."""
    return of_kind(records(bot.folder), K.J_LEVEL)["state"].tolist()


@pytest.mark.parametrize("number", [INT, TERM])
def test_drain_cancels_what_rests_and_exits_0(
    bots: Callable[..., Bot], number: signal.Signals
) -> None:
    bot = bots().trading()
    began = time.monotonic()
    bot.signal(number)
    bot.ends()
    assert time.monotonic() - began < 30
    assert is_drained(bot.folder)
    rows = records(bot.folder)
    drain = int(of_kind(rows, K.J_LEVEL)["seq"][-1])
    after = rows[rows["seq"] >= drain]
    assert len(of_kind(after, K.J_CANCEL)) > 0
    assert len(of_kind(after, K.J_PLACE, K.J_AMEND)) == 0
    assert bot.report["run"]["ended"] == "signal" and bot.report["run"]["open_orders"] == 0
    assert "Draining" in [line["message"] for line in bot.log]
    assert bot.left() == []


@pytest.mark.parametrize("number", [INT, TERM])
def test_signal_during_the_start_drains_too(
    bots: Callable[..., Bot], number: signal.Signals
) -> None:
    for wait_s in (0.0, 0.05, 0.3):
        bot = bots()
        # from its name on, a signal has its meaning; the engine is still importing then
        comm = Path(f"/proc/{bot.pid}/comm")
        wait_for(lambda comm=comm: comm.read_text() == "bog-live\n")
        time.sleep(wait_s)
        bot.signal(number)
        bot.ends()
        assert is_drained(bot.folder), bot.said
        assert len(of_kind(records(bot.folder), K.J_PLACE)) == 0 or wait_s > 0
    assert bot.left() == []


def test_pause_pulls_the_quotes_and_the_next_one_resumes(bots: Callable[..., Bot]) -> None:
    bot = bots().trading()
    bot.signal(USR2)
    wait_for(lambda: bot.page()["level"] == Level.LEVEL_PAUSED and not bot.page()["orders"])
    placed = bot.page()["placed"]
    time.sleep(1.5)  # a standard account's pace would have allowed a request by now
    assert bot.page()["placed"] == placed and bot.page()["orders"] == []
    wait_for(lambda: "Paused" in [line["message"] for line in bot.log])
    bot.signal(USR2)
    wait_for(lambda: bot.page()["level"] == Level.LEVEL_RUN and bot.page()["orders"])
    assert bot.page()["placed"] > placed
    bot.stop()
    assert levels(bot) == [Level.LEVEL_PAUSED, Level.LEVEL_RUN, Level.LEVEL_DRAIN]
    messages = [line["message"] for line in bot.log]
    assert messages.index("Paused") < messages.index("Resumed") < messages.index("Draining")


def test_emergency_stop_is_latched_until_its_own_number_clears_it(
    bots: Callable[..., Bot],
) -> None:
    bot = bots().trading()
    bot.signal(USR1)
    bot.ends()
    assert is_drained(bot.folder) and bot.report["run"]["ended"] == "halt"
    (halt,) = of_kind(records(bot.folder), K.J_HALT)
    assert int(halt["reason"]) == Halt.HALT_KILLED
    number = int(halt["id"])
    assert any("CIRCUIT BREAKER KILLED" in line["message"] for line in bot.log)
    held = position(bot.folder)
    again = bots("--duration", "20s", "--speed", "max").ends()
    rows = records(again.folder)
    assert len(of_kind(rows, K.J_PLACE)) == 0
    assert len(of_kind(rows, K.J_DENIED)) > 0
    assert len(of_kind(rows, K.J_CLEAR_HALT)) == 0
    assert f"HALTED by KILLED: nothing is quoted; --clear-halt {number}" in again.said
    assert position(again.folder) == held
    wrong = bots("--clear-halt", number + 1, "--speed", "max", "--duration", "20s").ends(code=78)
    assert f"--clear-halt {number + 1}: no such halt: want {number}, KILLED" in wrong.said
    assert len(runs(wrong.folder)) == 2, "it began no run"
    cleared = bots("--duration", "20s", "--speed", "max", "--clear-halt", number).ends()
    rows = records(cleared.folder)
    assert of_kind(rows, K.J_CLEAR_HALT)["id"].tolist() == [number]
    assert len(of_kind(rows, K.J_PLACE)) > 0
    assert "HALTED" not in cleared.said
    later = bots("--duration", "20s", "--speed", "max").ends()
    assert len(of_kind(records(later.folder), K.J_PLACE)) > 0


def test_storm_of_pauses_ends_in_the_state_of_its_parity(bots: Callable[..., Bot]) -> None:
    bot = bots().trading()
    for _ in range(1000):
        bot.signal(USR2)
    # signals of one number that wait are one: how many arrived, the page alone knows, once the
    # engine has taken the last of them
    time.sleep(1.0)
    settled = wait_for(lambda: bot.page()["level"] in (Level.LEVEL_RUN, Level.LEVEL_PAUSED))
    assert settled and bot.process.poll() is None
    if bot.page()["level"] == Level.LEVEL_PAUSED:
        wait_for(lambda: not bot.page()["orders"])
        bot.signal(USR2)
    wait_for(lambda: bot.page()["level"] == Level.LEVEL_RUN and bot.page()["orders"])
    bot.stop()
    taken = levels(bot)
    assert all(a != b for a, b in pairwise(taken))
    assert taken[-1] == Level.LEVEL_DRAIN and is_drained(bot.folder)


def test_storm_of_mixed_signals_drains_once_and_stays_halted(bots: Callable[..., Bot]) -> None:
    bot = bots().trading()
    rng = random.Random(2)
    sent = 0
    for _ in range(2000):
        if bot.process.poll() is not None:
            break
        bot.signal(rng.choice([INT, TERM, USR1, USR2, USR2]))
        sent += 1
    bot.ends()
    assert sent > 100
    assert is_drained(bot.folder)
    taken = levels(bot)
    assert taken == sorted(taken[:-2]) + taken[-2:] and taken[-1] == Level.LEVEL_KILLED
    halts = of_kind(records(bot.folder), K.J_HALT)
    assert halts["reason"].tolist() == [Halt.HALT_KILLED]
    assert bot.report["run"]["exit_code"] == 0
    assert bot.left() == []


ENDING = """
import sys
from bog._core.stats import StatsPage
page = StatsPage.create(sys.argv[1], 1_000_001)
page.install_signals(whole=True)
print("ready", flush=True)
"""


def test_a_ctrl_c_while_python_shuts_down_is_not_a_death(tmp_path: Path) -> None:
    """Found by fault row 73: Python gave SIGINT back to the system, and bog-live died of it."""
    for life in range(30):
        child = subprocess.Popen(
            [sys.executable, "-c", ENDING, str(tmp_path / f"page{life}")],
            env=environment(), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        while child.poll() is None:
            child.send_signal(signal.SIGINT)
        child.stdout.close()
        assert child.returncode == 0


def test_engine_ignores_what_is_meant_for_bog_live(bots: Callable[..., Bot]) -> None:
    bot = bots().trading()
    engine = bot.engine()
    assert Path(f"/proc/{engine}/comm").read_text() == "bog-engine\n"
    for number in (INT, USR1, USR2, signal.SIGHUP):
        os.kill(engine, number)
    turns = bot.page()["turns"]
    wait_for(lambda: bot.page()["turns"] > turns + 100)
    assert bot.page()["level"] == Level.LEVEL_RUN and bot.page()["halt"] == 0
    assert os.getpgid(engine) == engine != os.getpgid(bot.pid)
    bot.stop()
    assert levels(bot) == [Level.LEVEL_DRAIN]


def own(guide: str) -> str:
    """Return a command of the operations guide that reaches this test's own processes only."""
    return guide.replace("pgrep ", f"pgrep -P {os.getpid()} ").replace(
        "pkill ", f"pkill -P {os.getpid()} "
    )


def test_commands_of_the_operations_guide(bots: Callable[..., Bot]) -> None:
    bot = bots(name="bog-simple-spread-simulated").trading()

    def shell(guide: str) -> None:
        done = subprocess.run(
            own(guide), shell=True, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        assert done.returncode == 0, done.stderr

    shell("kill -USR2 $(pgrep bog)")
    wait_for(lambda: bot.page()["level"] == Level.LEVEL_PAUSED)
    # the kernel keeps 15 characters of a name: pkill finds none that is longer
    shell("pkill -USR2 bog-simple-spre")
    wait_for(lambda: bot.page()["level"] == Level.LEVEL_RUN)
    wait_for(lambda: "Paused" in (bot.where / "var/bog.log").read_text())
    shell(f"tail -1000 {bot.where}/var/bog.log | grep Paused")
    shell("pkill -TERM bog-simple-spre")
    bot.ends()
    assert is_drained(bot.folder)
    assert "Resumed" in [line["message"] for line in bot.log]


def test_emergency_commands_of_the_operations_guide(bots: Callable[..., Bot]) -> None:
    bot = bots(name="bog-simple-spread-simulated").trading()
    assert subprocess.run(own("kill -USR1 $(pgrep bog)"), shell=True, check=False).returncode == 0
    bot.ends()
    assert levels(bot)[-1] == Level.LEVEL_KILLED
    assert subprocess.run(own("pgrep bog"), shell=True, check=False).returncode == 1


def test_ctrl_c_in_a_terminal_prints_the_report_and_exits_0(tmp_path: Path) -> None:
    tmux = shutil.which("tmux")
    if tmux is None:
        message = "tmux is not installed: no terminal to press Ctrl-C in"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    (tmp_path / "shm").mkdir()
    base = [tmux, "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]
    line = command("--market", 1, "--feed-dir", tmp_path / "shm", "--journal", tmp_path / "journal")
    script = tmp_path / "start.sh"
    quoted = " ".join(f"'{word}'" for word in line)
    script.write_text(f'trap : INT\ncd {tmp_path}\n{quoted}\necho "ended with $?"\nsleep 60\n')

    def screen() -> str:
        done = subprocess.run(
            [*base, "capture-pane", "-p", "-S", "-500"], capture_output=True, text=True, check=True
        )
        return done.stdout

    subprocess.run(
        [*base, "new-session", "-d", "-x", "110", "-y", "60", f"sh {script}"], check=True,
        env=environment(TERM="xterm-256color"),
    )  # fmt: skip
    try:
        wait_for(lambda: runs(tmp_path / "journal") and
                 len(of_kind(records(tmp_path / "journal"), K.J_ACK)) > 0)  # fmt: skip
        wait_for(lambda: "Ctrl-C drains and prints a report" in screen())
        subprocess.run([*base, "send-keys", "C-c"], check=True)
        wait_for(lambda: "ended with" in screen())
        text = screen()
    finally:
        subprocess.run([*base, "kill-server"], check=False)
    assert "ended with 0" in text
    assert "fill model" in text and "pnl" in text and "Traceback" not in text
    assert is_drained(tmp_path / "journal")
