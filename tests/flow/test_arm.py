"""bog-arm as a process: it shows, asks, and writes a token only for who types the account's number."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bog._core.types import Side
from tests.rig.gateway import ACCOUNT, Exchange, Taker
from tests.rig.live import PATIENCE_S, environment

FILE = """
[execution]
mode = "live"
dry_run = false
[feed]
source = "huginn"
directory = "{where}"
[live]
account_index = 1000
chain_id = 300
rest_url = "{rest}"
ws_url = "{ws}"
quoting_credential = "{quoting}"
quoting_index = 4
guardian_credential = "{guardian}"
guardian_index = 5
"""


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    folder = tmp_path / "exchange"
    folder.mkdir()
    found = Exchange(folder)
    yield found
    found.close()


@pytest.fixture
def where(tmp_path: Path, exchange: Exchange) -> Path:
    production = Path(__file__).resolve().parents[2] / "configs" / "production.toml"
    limits = production.read_text().partition("[execution]")[0]
    folder = tmp_path / "bot"
    folder.mkdir(mode=0o700)
    (folder / "live.toml").write_text(limits + FILE.format(
        where=folder, rest=exchange.hello["url"], ws=exchange.hello["ws"], quoting=exchange.key(4),
        guardian=exchange.key(5),
    ))  # fmt: skip
    return folder


def arm(where: Path, typed: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from bog.cli.arm import main; main()", "--market", "1", "--config",
         "live.toml"], cwd=where, env=environment(**more), input=typed, capture_output=True, text=True,
        check=False, timeout=PATIENCE_S,
    )  # fmt: skip


def test_who_types_the_accounts_number_gets_a_private_token_and_sees_no_secret(
    where: Path, exchange: Exchange
) -> None:
    secret = exchange.key(4).read_text().strip()
    done = arm(where, "1000\n")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("account", "1000", "300 (testnet)", "risk.max_daily_loss", "bog-mm",
                  exchange.hello["url"], f"index 5, {exchange.key(5)}"):  # fmt: skip
        assert words in done.stdout, words
    assert secret not in done.stdout
    path = where / done.stdout.splitlines()[-1]
    assert path.parent == where / "var" / "arm"
    assert os.stat(path).st_mode & 0o7777 == 0o600
    assert secret not in path.read_text()


def test_who_types_anything_else_gets_none(where: Path) -> None:
    for typed in ("1001\n", "y\n"):
        done = arm(where, typed)
        assert done.returncode == 78
        assert "the account is 1000: nothing was armed" in done.stderr
        assert not (where / "var").exists()


def test_a_build_without_the_gateway_arms_nothing(where: Path) -> None:
    done = arm(where, "1000\n", BOG_LIVE__GATEWAY="bog.no_such_gateway")
    assert done.returncode == 78 and done.stdout == ""
    assert "live.gateway = 'bog.no_such_gateway'" in done.stderr
    assert not (where / "var").exists()


def test_an_account_on_which_other_orders_rest_is_not_armed(
    where: Path, exchange: Exchange
) -> None:
    Taker(exchange, ACCOUNT).take(1_199_000, 1000, Side.BID, force=2)
    done = arm(where, "1000\n")
    assert done.returncode == 78
    assert "live.account_index: 1 orders rest there that are not of this journal" in done.stderr
    assert len(exchange.god()["orders"]) == 1, "and are left alone"


def test_a_venue_that_is_not_there_arms_nothing(where: Path, exchange: Exchange) -> None:
    exchange.close()
    done = arm(where, "1000\n")
    assert done.returncode == 1 and "the gateway: " in done.stderr
    assert not (where / "var").exists()
