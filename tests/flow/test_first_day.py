"""A newcomer's first day: the commands of docs/operations.md, in a checkout of their own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.live import PATIENCE_S, ROOT, environment, wait_for
from tests.rig.metrics import free_port
from tests.rig.monitoring import program

pytestmark = pytest.mark.xdist_group("monitoring")  # the ports of make monitor
PORTS = (9091, 9093, 9096)


def blocks() -> dict[str, str]:
    """Return the commands of the chapter by the comment above them; the first have none."""
    chapter = (ROOT / "docs" / "operations.md").read_text().split("## The first day\n")[1]
    found = re.findall(r"```sh\n(?:# ([^\n]*)\n)?(.*?)```", chapter.split("\n## ")[0], flags=re.S)
    return dict(found)


class Terminals:
    """A checkout of the project without what earlier runs left, and shells in it."""

    def __init__(self, where: Path) -> None:
        self.where = where
        for path in ROOT.iterdir():
            if path.name not in ("var", ".git", "tools", "monitoring", "Makefile"):
                (where / path.name).symlink_to(path)
        for name in ("tools", "monitoring"):  # they find the checkout by where they are
            shutil.copytree(ROOT / name, where / name)
        shutil.copy(ROOT / "Makefile", where)
        self.port = free_port()
        prometheus = where / "monitoring" / "prometheus.yml"
        text = prometheus.read_text()
        assert "127.0.0.1:9090" in text
        prometheus.write_text(text.replace("127.0.0.1:9090", f"127.0.0.1:{self.port}"))
        self.environ = environment(
            PATH=f"{where / '.venv' / 'bin'}:{os.environ['PATH']}",
            BOG_MONITORING__PROMETHEUS_PORT=str(self.port), BOG_FEED__DIRECTORY=str(where / "shm"),
        )  # fmt: skip
        (where / "shm").mkdir(mode=0o700)
        self.started: list[subprocess.Popen[bytes]] = []

    def starts(self, commands: str) -> "subprocess.Popen[bytes]":
        with (self.where / f"said{len(self.started)}").open("w") as said:
            self.started.append(subprocess.Popen(
                ["bash", "-ec", commands], cwd=self.where, env=self.environ, stdout=said, stderr=said,
                stdin=subprocess.DEVNULL, start_new_session=True,
            ))  # fmt: skip
        return self.started[-1]

    def runs(self, commands: str) -> str:
        # other tests publish market 1, too
        commands = commands.replace(
            "print-orderbook", f"print-orderbook --dir {self.where / 'shm'}"
        )
        done = subprocess.run(
            ["bash", "-ec", commands], cwd=self.where, env=self.environ, capture_output=True,
            text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        said = "".join((self.where / f"said{i}").read_text() for i in range(len(self.started)))
        assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}\n{said}"
        return done.stdout


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Terminals]:
    found = Terminals(tmp_path)
    yield found
    for one in found.started:
        if one.poll() is None:
            os.killpg(one.pid, signal.SIGKILL)
            one.wait()


def test_a_newcomer_gets_from_the_checkout_to_a_rehearsed_incident(terminals: Terminals) -> None:
    program("prometheus")
    for port in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"port {port} of this host is in use")
    commands = blocks()
    where = terminals.where
    install = commands.pop("")
    assert install.startswith("make setup\nsource .venv/bin/activate\n")  # the suite runs in one
    shown = terminals.runs("\n".join(install.splitlines()[2:]))
    assert "risk.max_position" in shown and " 0 fail" in shown
    one = commands.pop("terminal one: the bot")
    bot = terminals.starts(one.replace("60 jump", "25 jump"))
    monitor = terminals.starts(commands.pop("terminal two: Prometheus and Alertmanager"))
    log = where / "var" / "bog.log"
    wait_for(lambda: log.exists() and '"event": "place"' in log.read_text())
    said = terminals.runs(commands.pop("terminal three: before the incident"))
    assert "no halt" in said and "quote buy" in said and "bog" in said

    def both_say_so() -> bool:
        file = where / "var" / "alerts.log"
        lines = (
            [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        )
        tripped = {line["source"] for line in lines if line["alert"] == "CircuitBreakerTripped"}
        return tripped == {"bog-live", "alertmanager"}

    wait_for(both_say_so)
    said = terminals.runs(commands.pop("terminal three: the incident"))
    assert "CIRCUIT BREAKER MARKET" in said and "HALTED by MARKET, id 1" in said
    said = terminals.runs(commands.pop("terminal three: afterwards"))
    assert "halt 1 cleared" in said and "no halt" in said
    said = terminals.runs(commands.pop("terminal three: the end of the day"))
    assert bot.wait(PATIENCE_S) == 0
    assert (where / "var" / "day.tar.gz").stat().st_size > 1000
    os.killpg(monitor.pid, signal.SIGINT)  # Ctrl-C
    assert monitor.wait(PATIENCE_S) in (0, -signal.SIGINT, 128 + signal.SIGINT)  # make's own end
    for port in PORTS:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, "it is still there"
    assert commands == {}, "every block of the chapter was run"
