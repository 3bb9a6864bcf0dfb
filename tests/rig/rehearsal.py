"""Live trading as a person rehearses it: bog-arm and bog-live against a bog-exchange of the test."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess as Done

from tests.rig.gateway import ACCOUNT, Exchange
from tests.rig.live import Bot, environment


def configuration(where: Path, exchange: Exchange, **keys: object) -> dict[str, str]:
    """Return the variables that point rehearsal.toml at the exchange of a test.

    `keys` are others, with two underscores for a dot: live__engine_silent_ms=500.
    """
    at = {
        "live__rest_url": exchange.hello["url"], "live__ws_url": exchange.hello["ws"],
        "feed__lighter__rest_url": exchange.hello["url"],
        "feed__lighter__url": exchange.hello["ws"],
        "feed__lighter__metadata_directory": where / "lighter",
        "live__quoting_credential": exchange.key(4),
        "live__guardian_credential": exchange.key(5),
        "live__arm_directory": where / "arm", **keys,
    }  # fmt: skip
    return {f"BOG_{key.upper()}": str(value) for key, value in at.items()}


def arm(
    where: Path, environ: dict[str, str], *options: object, before: Sequence[str] = ()
) -> "Done[str]":
    """Run bog-arm as a person would who types the account's number."""
    line = [
        *before, sys.executable, "-c", "from bog.cli.arm import main; main()", "--market", 1,
        "--feed-dir", where / "shm", "--journal", where / "journal", "--config", "rehearsal",
        *options,
    ]  # fmt: skip
    return subprocess.run(
        [*map(str, line)], cwd=where, env=environment(**environ), input=f"{ACCOUNT}\n", text=True,
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip


def live(
    where: Path, environ: dict[str, str], *options: object, before: Sequence[str] = (),
    meanwhile: Callable[[], object] = tuple,
) -> Bot:  # fmt: skip
    """Arm, and start the bot with the token; `before` are words in front of both command lines.

    `meanwhile` happens between the two.
    """
    armed = arm(where, environ, before=before)
    assert armed.returncode == 0, armed.stderr
    meanwhile()
    token = armed.stdout.splitlines()[-1]
    return Bot(
        where, "--config", "rehearsal", "--mode", "live", "--arm", token, *options, before=before,
        **environ,
    )  # fmt: skip


def children(bot: Bot) -> dict[str, int]:
    """Return the process ids of a bot's children by their names."""
    found = {}
    for pid in Path(f"/proc/{bot.pid}/task/{bot.pid}/children").read_text().split():
        found[Path(f"/proc/{pid}/comm").read_text().strip()] = int(pid)
    return found
