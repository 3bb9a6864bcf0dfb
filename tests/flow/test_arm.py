"""bog-arm as a process: it shows, asks, and writes a token only for who types the account's number."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig.live import PATIENCE_S, environment

FILE = """
[execution]
mode = "live"
dry_run = {dry_run}
[feed]
source = "huginn"
[live]
account_index = 281474976710654
chain_id = 300
rest_url = "http://127.0.0.1:7"
ws_url = "ws://127.0.0.1:7/stream"
quoting_credential = "./quoting"
quoting_index = 2
guardian_credential = "./guardian"
guardian_index = 4
gateway = "{gateway}"
"""
CANARY = "5d0c" * 20  # as a private key looks


@pytest.fixture
def where(tmp_path: Path) -> Path:
    production = Path(__file__).resolve().parents[2] / "configs" / "production.toml"
    limits = production.read_text().partition("[execution]")[0]
    for name in ("quoting", "guardian"):
        (tmp_path / name).write_text(CANARY)
        (tmp_path / name).chmod(0o600)
    # a module that exists: bog-arm starts none
    live = FILE.format(dry_run="false", gateway="json")
    (tmp_path / "live.toml").write_text(limits + live)
    return tmp_path


def arm(where: Path, typed: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from bog.cli.arm import main; main()", "--market", "1", "--config",
         "live.toml"], cwd=where, env=environment(**more), input=typed, capture_output=True, text=True,
        check=False, timeout=PATIENCE_S,
    )  # fmt: skip


def test_who_types_the_accounts_number_gets_a_private_token_and_sees_no_secret(where: Path) -> None:
    done = arm(where, "281474976710654\n")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("account", "281474976710654", "300 (testnet)", "risk.max_daily_loss", "bog-mm",
                  "http://127.0.0.1:7", f"index 4, {where}/guardian"):  # fmt: skip
        assert words in done.stdout, words
    assert CANARY not in done.stdout
    path = where / done.stdout.splitlines()[-1]
    assert path.parent == where / "var" / "arm"
    assert os.stat(path).st_mode & 0o7777 == 0o600
    assert CANARY not in path.read_text()


def test_who_types_anything_else_gets_none(where: Path) -> None:
    for typed in ("281474976710653\n", "y\n"):
        done = arm(where, typed)
        assert done.returncode == 78
        assert "the account is 281474976710654: nothing was armed" in done.stderr
        assert not (where / "var").exists()


def test_a_build_without_the_gateway_arms_nothing(where: Path) -> None:
    done = arm(where, "281474976710654\n", BOG_LIVE__GATEWAY="bog.no_such_gateway")
    assert done.returncode == 78 and done.stdout == ""
    assert "live.gateway = 'bog.no_such_gateway'" in done.stderr
    assert not (where / "var").exists()
