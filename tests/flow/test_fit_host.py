"""bog-doctor on this machine: exit codes, JSON, and each planted fault is the line that fails."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bog.doctor import SHARED_MB
from tests.rig.live import Bot, environment, wait_for

HOST = ("cores", "smt", "isolation", "frequency", "sleep", "clocksource", "clock", "memlock", "rtprio",
        "swap", "hugepages", "python", "kernel", "compiler", "packages", "build")  # fmt: skip
SETUP = ("configuration", "shm", "journal", "log", "prometheus")
SECRET = "6b1f0e-not-a-key"


class Answer:
    """What bog-doctor said of one configuration."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        assert "Traceback" not in err and SECRET not in out + err, err

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    def lines(self, name: str) -> list[dict[str, str]]:
        return [check for check in self.json["checks"] if check["name"] == name]

    def fails(self) -> list[tuple[str, str]]:
        return [(c["name"], c["found"]) for c in self.json["checks"] if c["state"] == "fail"]


@pytest.fixture
def ask(tmp_path: Path, shm: Path) -> Callable[..., Answer]:
    def run(*arguments: object, **environ: str) -> Answer:
        start = "from bog.cli.doctor import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", start, "--feed-dir", str(shm), *map(str, arguments)],
            cwd=tmp_path, env=environment(**environ), capture_output=True, text=True, timeout=180,
            check=False,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def live_file(tmp_path: Path) -> Path:
    """Return a configuration for live trading whose keys are kept as they should be."""
    (tmp_path / "keys").mkdir(mode=0o700)
    for name in ("quoting", "guardian"):
        (tmp_path / "keys" / name).write_text(SECRET)
        (tmp_path / "keys" / name).chmod(0o600)
    text = (Path(__file__).parents[2] / "configs/production.toml").read_text()
    text = text.replace('mode = "paper"', 'mode = "live"').replace(
        "/var/log/bog", f"{tmp_path}/log"
    )
    file = tmp_path / "live.toml"
    file.write_text(f"""{text}
[live]
account_index = 17
chain_id = 300
rest_url = "http://127.0.0.1:7"
ws_url = "ws://127.0.0.1:7/stream"
quoting_credential = "{tmp_path}/keys/quoting"
quoting_index = 2
guardian_credential = "{tmp_path}/keys/guardian"
guardian_index = 4
""")
    return file


def test_a_machine_on_paper_has_no_fail_and_nothing_is_changed(
    ask: Callable[..., Answer], tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    said = ask("--market", 1, "--json")
    assert (said.code, said.fails(), said.err) == (0, [], "")
    found = said.json
    names = [check["name"] for check in found["checks"]]
    assert names == [*HOST, *SETUP, "feed"]
    assert set(found) == {"exit_code", "ok", "warn", "fail", "checks"} and found["exit_code"] == 0
    assert found["ok"] + found["warn"] + found["fail"] == len(names)
    for check in found["checks"]:
        assert set(check) == {"name", "state", "found", "fix"} and check["found"]
        assert check["state"] in ("ok", "warn") and bool(check["fix"]) == (check["state"] == "warn")
    plain = ask("--market", 1)
    *lines, totals = plain.out.splitlines()
    assert [line.split()[1] for line in lines] == names
    assert totals == f"{found['ok']} ok, {found['warn']} warn, 0 fail"
    assert sorted(tmp_path.rglob("*")) == before


def test_the_core_that_is_named_is_the_one_that_is_judged(ask: Callable[..., Answer]) -> None:
    core = max(os.sched_getaffinity(0))
    (found,) = ask("--cpu", core, "--json").lines("isolation")
    assert f"cpu {core}" in found["found"]
    absent = ask("--cpu", 9999, "--json")
    assert absent.code == 1 and ("cores" in dict(absent.fails()))


def test_a_planted_fault_turns_its_line_and_no_other(
    ask: Callable[..., Answer], live_file: Path, tmp_path: Path
) -> None:
    """The host may lack what live wants: what was there before the fault stays as it was."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    line = ("--market", 1, "--config", live_file, "--json", "--feed", "lighter")
    free = {"BOG_MONITORING__PROMETHEUS_PORT": port}
    before = ask(*line, **free)
    assert [check["state"] for check in before.lines("credential")] == ["ok", "ok"]
    assert not {"credential", "prometheus", "configuration"} & {name for name, _ in before.fails()}

    key = tmp_path / "keys" / "quoting"
    key.chmod(0o644)
    readable = ask(*line, **free)
    (new,) = set(readable.fails()) - set(before.fails())
    assert new == ("credential", f"live.quoting_credential: {key} has mode 644, want 600 or 400")
    assert readable.lines("credential")[0]["fix"] == f"chmod 600 {key}"
    assert readable.code == readable.json["exit_code"] == 1
    key.chmod(0o600)

    with socket.create_server(("127.0.0.1", int(port))):
        taken = ask(*line, **free)
    (new,) = set(taken.fails()) - set(before.fails())
    assert new[0] == "prometheus" and "Address already in use" in new[1]
    assert taken.code == 1
    right = ask(*line, **free)  # put right, it is as it was
    assert (right.code, right.fails()) == (before.code, before.fails())


def test_a_refused_configuration_is_78_and_a_wrong_option_2(ask: Callable[..., Answer]) -> None:
    wrong = ask("--json", BOG_RISK__MAX_POSITIO="1", BOG_FEED__SPEDE="1")
    assert wrong.code == wrong.json["exit_code"] == 78
    lines = [found for name, found in wrong.fails() if name == "configuration"]
    assert any("did you mean risk.max_position?" in found for found in lines) and len(lines) == 2
    assert [check["name"] for check in wrong.json["checks"]][: len(HOST)] == list(HOST)
    assert ask("--json", "--mode", "live").code == 78  # live has no default limits
    assert ask("--config", "nowhere.toml").code == 78
    assert ask("--market", 7).code == 78
    for words in (["--markt", "1"], ["--mode", "paperr"], ["--cpu", "-1"], ["more"]):
        said = ask(*words)
        assert said.code == 2 and said.err.startswith("bog-doctor: error: "), said.err


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    found = Bot(tmp_path)
    yield found
    found.kill()


def test_the_feed_of_a_running_bot_is_fresh_and_closed_after_it(
    ask: Callable[..., Answer], bot: Bot
) -> None:
    bot.trading()
    # a bot that keeps its journal, too: all of its shared memory fits into what the doctor asks for
    used = sum(path.stat().st_blocks * 512 for path in bot.shm.iterdir())
    assert 0 < used < SHARED_MB << 20
    line = ("--market", 1, "--feed", "huginn", "--json")
    patient = {"BOG_RISK__STALE_AFTER_MS": "60000"}  # of a loaded machine
    (fresh,) = ask(*line, **patient).lines("feed")
    assert fresh["state"] == "ok" and fresh["found"].endswith(": fresh")
    bot.stop()
    said: list[dict[str, str]] = []

    def closed() -> bool:
        said[:] = ask(*line, **patient).lines("feed")
        return "stale, its writer is closed" in said[0]["found"] or "absent" in said[0]["found"]

    wait_for(closed)
    assert said[0]["state"] == "warn" and said[0]["fix"] == "bog-feed --market 1"
