"""Another user of the machine, who may reach each folder above ours: many attempts on a live bot."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.gateway import Exchange
from tests.rig.live import PATIENCE_S, Bot
from tests.rig.rehearsal import children, configuration, live

STRANGER = 65534
LEAST = 100
# runs as the stranger: each attempt is a name and whether it came through
PROGRAM = f"""
import json, os, signal, socket, sys
wanted = json.load(sys.stdin)
os.setgroups([])
os.setgid({STRANGER})
os.setuid({STRANGER})
tried = []

def attempt(name, what):
    try:
        got = what()
    except OSError as error:
        tried.append([name, type(error).__name__])
    else:
        tried.append([name, "SUCCESS"])

def opened(path, flags):
    os.close(os.open(path, flags))

for path in wanted["files"]:
    attempt(f"read {{path}}", lambda: opened(path, os.O_RDONLY))
    attempt(f"write {{path}}", lambda: opened(path, os.O_WRONLY))
    attempt(f"append {{path}}", lambda: opened(path, os.O_WRONLY | os.O_APPEND))
    attempt(f"truncate {{path}}", lambda: os.truncate(path, 0))
    attempt(f"chmod {{path}}", lambda: os.chmod(path, 0o666))
    attempt(f"rename {{path}}", lambda: os.rename(path, path + ".stolen"))
    attempt(f"link {{path}}", lambda: os.link(path, path + ".link"))
    attempt(f"unlink {{path}}", lambda: os.unlink(path))
for path in wanted["folders"]:
    attempt(f"list {{path}}", lambda: os.listdir(path))
    attempt(f"create in {{path}}", lambda: opened(path + "/planted", os.O_WRONLY | os.O_CREAT))
    attempt(f"make a folder in {{path}}", lambda: os.mkdir(path + "/planted.d"))
    attempt(f"make a link in {{path}}", lambda: os.symlink("/etc/passwd", path + "/planted.l"))
    attempt(f"rename {{path}}", lambda: os.rename(path, path + ".stolen"))
for path in wanted["sockets"]:
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        one = socket.socket(socket.AF_UNIX, kind)
        attempt(f"connect {{kind}} {{path}}", lambda: one.connect(path))
        one.close()
    attempt(f"unlink {{path}}", lambda: os.unlink(path))
for pid in wanted["pids"]:
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1, signal.SIGUSR2, signal.SIGSTOP):
        attempt(f"signal {{number}} to {{pid}}", lambda: os.kill(pid, number))
    for name in ("environ", "mem", "maps", "fd", "root", "cwd"):
        path = f"/proc/{{pid}}/{{name}}"
        look = os.listdir if name == "fd" else os.readlink if name in ("root", "cwd") else None
        # environ and maps open for anybody; what counts is what they say
        attempt(f"look at {{path}}", lambda: look(path) if look else open(path, "rb").read(1))
print(json.dumps(tried))
"""


@pytest.fixture
def house() -> Iterator[Path]:
    """A folder that everybody may enter, as /dev/shm and /var are."""
    with tempfile.TemporaryDirectory(prefix="bog") as name:
        where = Path(name)
        where.chmod(0o755)
        (where / "shm").mkdir()
        (where / "shm").chmod(0o1777)
        yield where


def test_another_user_can_neither_read_nor_write_nor_command(
    house: Path, exchange: Exchange
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can try as somebody else")
    bot: Bot = live(house, configuration(house, exchange))
    try:
        bot.trading()
        found = [
            path for name in ("shm", "journal", "var", "arm") for path in (house / name).rglob("*")
        ]
        files = [str(path) for path in found if path.is_file()]
        sockets = [str(path) for path in found if path.is_socket()]
        folders = [str(path) for path in found if path.is_dir()] + [str(house / "journal")]
        names = {Path(path).name.split("_")[0] for path in files}
        assert {"hg", "bog"} <= names and sockets, "feed, pages and control socket are there"
        pids = [bot.pid, *children(bot).values()]
        assert len(pids) >= 3
        wanted = {"files": files, "folders": folders, "sockets": sockets, "pids": pids}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], input=json.dumps(wanted), text=True,
            capture_output=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        tried = json.loads(done.stdout)
        successes = [name for name, how in tried if how == "SUCCESS"]
        print(f"{len(tried)} attempts of uid {STRANGER}, {len(successes)} successes")
        assert successes == []
        assert len(tried) >= LEAST
        placed = bot.page()["amended"]
        assert bot.process.poll() is None and placed >= 0
        bot.stop()
    finally:
        bot.kill()


def test_the_battery_notices_what_is_open(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can try as somebody else")
    with tempfile.TemporaryDirectory() as name:
        where = Path(name)
        where.chmod(0o755)
        (where / "left").write_text("open")
        (where / "left").chmod(0o644)
        wanted = {"files": [str(where / "left")], "folders": [], "sockets": [], "pids": []}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], input=json.dumps(wanted), text=True,
            capture_output=True, timeout=PATIENCE_S, check=True,
        )  # fmt: skip
    assert [n.split()[0] for n, how in json.loads(done.stdout) if how == "SUCCESS"] == ["read"]
