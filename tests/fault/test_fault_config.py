"""Rows 80 to 82: a configuration that is wrong, that changes, or that asks for real money."""

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from bog import config
from bog._core.types import Level
from bog.control import Client, Command
from tests.rig.fault import Repeats
from tests.rig.live import PATIENCE_S, Bot, environment, one_error, wait_for

Bots = Callable[..., Bot]
Place = Callable[[], Path]
DEFAULTS = dict(config._leaves(tomllib.loads((config.FOLDER / "default.toml").read_text())))
LIMITS = [key for key in DEFAULTS if key.startswith("risk.") and "reserve" not in key]
# the text of a limit's value in TOML; none of them is a number above zero that fits
BAD = ["nan", "inf", "-inf", '"nan"', '"1e3x"', '""', "true", "[1]", "{ x = 1 }", "-1", "0", "1e30",
       "0.123456789012", '"0x10"', '"1,5"', '"1 000"', '"5%"', '"10 bps"', "2026-01-01",
       '"\\u202e1"']  # fmt: skip


def start(where: Path, *words: object, **environ: str) -> "subprocess.CompletedProcess[str]":
    (where / "shm").mkdir(mode=0o700, exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "bog.cli.live", "--market", "1", "--duration", "1s", "--speed", "max",
         "--feed-dir", "shm", *map(str, words)],
        cwd=where, env=environment(**environ), capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip


def left(where: Path) -> list[str]:
    return sorted(p.name for p in where.rglob("*") if p.name not in ("shm", "bad.toml"))


def bad_file(key: str, kind: int) -> tuple[str, str]:
    """Return the text of a bad configuration file, and what its refusal must name."""
    name = key.removeprefix("risk.")
    if kind < len(BAD):
        return f"[risk]\n{name} = {BAD[kind]}\n", key
    return [
        (f"[risk]\n{name} = 1\n{name} = 2\n", "is not TOML"),  # twice
        (f"[risk]\n{name}s = 1\n", f"{key}s"),  # unknown
        ("[risks]\nmax_position = 1\n", "risks"),
        ("[risk\n", "is not TOML"),
    ][kind - len(BAD)]


def test_fault_80_a_bad_configuration_is_refused_and_starts_nothing(
    repeats: Repeats, place: Place
) -> None:
    """Every limit with every bad value; every other key is in tests/shell/test_config.py."""
    matrix = repeats.each([(key, kind) for key in LIMITS for kind in range(len(BAD) + 4)])
    for number, _ in repeats(80, full=len(matrix)):
        where = place()
        text, named = bad_file(*matrix[number])
        (where / "bad.toml").write_text(text)
        done = start(where, "--config", where / "bad.toml")
        assert done.returncode == 78, (text, done.stderr)
        line = one_error(done.stderr)
        assert named in line, (text, line)
        assert "want" in line or "unknown" in line or "is not TOML" in line
        assert left(where) == [], text


def test_fault_81_a_file_that_changes_under_a_running_bot_changes_nothing(
    repeats: Repeats, bots: Bots, place: Place
) -> None:
    """There is no reload: looser, tighter and broken files wait for the next start."""
    where = place()
    file = where / "mine.toml"
    file.write_text("[risk]\nmax_position = 0.05\n[strategy.simple_spread]\norder_size = 0.002\n")
    bot = bots(where, "--config", file).trading()
    client = Client(str(bot.folder))
    before = client.ask(1, Command.STATUS)["status"]
    texts = ["[risk]\nmax_position = 5\n", "[risk]\nmax_position = 0.01\n", "[risk", "",
             '[execution]\nmode = "live"\n[strategy.simple_spread]\norder_size = 0.05\n']  # fmt: skip
    for number, rng in repeats(81):
        if rng.random() < 0.2:
            file.unlink(missing_ok=True)
        else:
            new = where / "new.toml"
            new.write_text(texts[number % len(texts)])
            new.rename(file)
        turns = bot.page()["turns"]
        wait_for(lambda turns=turns: bot.page()["turns"] > turns)
        now = client.ask(1, Command.STATUS)["status"]
        assert now["config_hash"] == before["config_hash"] and now["mode"] == "paper"
        assert now["level"] == "RUN" and bot.page()["level"] == Level.LEVEL_RUN
        assert {order["size"] for order in now["orders"]} <= {"0.00200"}
    client.close()
    bot.stop()


LIVE = [
    (["--mode", "live"], {}),
    ([], {"BOG_EXECUTION__MODE": "live"}),
    (["--config", "live.toml"], {}),
    (["--mode", "live"], {"BOG_EXECUTION__DRY_RUN": "false"}),
    (["--mode", "live", "--feed", "huginn"], {"BOG_EXECUTION__DRY_RUN": "true"}),
    (["--mode", "Live"], {}),
]  # fmt: skip


def test_fault_82_live_without_arming_is_refused_and_starts_nothing(
    repeats: Repeats, place: Place
) -> None:
    for number, _ in repeats(82):
        where = place()
        (where / "live.toml").write_text('[execution]\nmode = "live"\ndry_run = false\n')
        words, environ = LIVE[number % len(LIVE)]
        done = start(where, *words, **environ)
        assert done.returncode == 78, done.stderr
        assert "execution.mode" in one_error(done.stderr)
        assert left(where) == ["live.toml"]
