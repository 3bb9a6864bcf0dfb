"""No key leaves the gateway: files, metrics, processes and memory of a live bot are searched for it."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.rig.gateway import Exchange
from tests.rig.live import PATIENCE_S, Bot, environment
from tests.rig.metrics import free_port
from tests.rig.rehearsal import arm, children, configuration, live

CHUNK = 1 << 20


def forms_of(key: str) -> dict[str, bytes]:
    """Return how a key of hexadecimal digits may be spelled in bytes."""
    raw = bytes.fromhex(key)
    return {
        "hex": key.lower().encode(), "HEX": key.upper().encode(), "raw": raw,
        "reversed": raw[::-1], "middle": key.lower()[20:52].encode(),
    }  # fmt: skip


def found_in(data: bytes, secrets: dict[str, bytes]) -> list[str]:
    return [name for name, secret in secrets.items() if secret in data]


def memory_of(pid: int, secrets: dict[str, bytes]) -> set[str]:
    """Return which secrets stand in the memory of a process that can be read."""
    longest, found = max(map(len, secrets.values())), set()
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            begin, end = (int(n, 16) for n in line.split()[0].split("-"))
            if "r" not in line.split()[1] or line.endswith(
                ("[vvar]", "[vsyscall]", "[vvar_vclock]")
            ):
                continue
            at, before = begin, b""
            while at < end:
                try:
                    memory.seek(at)
                    data = memory.read(min(CHUNK, end - at))
                except (OSError, ValueError):
                    break
                if not data:
                    break
                found.update(found_in(before + data, secrets))
                before, at = data[-longest:], at + len(data)
    return found


def test_the_keys_are_nowhere_to_be_read(tmp_path: Path, exchange: Exchange) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may read another process's memory here")
    where, port = tmp_path / "bot", free_port()
    (where / "shm").mkdir(mode=0o700, parents=True)
    secrets = {}
    for index in (4, 5):
        key = Path(exchange.key(index)).read_text().strip().removeprefix("0x")
        assert len(key) == 80
        secrets |= {f"key {index} {form}": text for form, text in forms_of(key).items()}
    keys = configuration(where, exchange, monitoring__prometheus_port=port,
                         monitoring__log_level="debug")  # fmt: skip
    bot: Bot = live(where, keys)
    try:
        bot.trading(fills=1)
        gateway = children(bot)["bog-gateway"]
        others = {pid for name, pid in children(bot).items() if name != "bog-gateway"} | {bot.pid}
        # the gateway signs with them, from a mapping that not even root reads this way
        for pid in (*others, gateway):
            assert memory_of(pid, secrets) == set(), Path(f"/proc/{pid}/comm").read_text()
        for pid in (*others, gateway):
            for name in ("cmdline", "environ"):
                assert not found_in(Path(f"/proc/{pid}/{name}").read_bytes(), secrets)
            limits = Path(f"/proc/{pid}/limits").read_text()
            (core,) = [line for line in limits.splitlines() if line.startswith("Max core file")]
            if pid == gateway:
                assert core.split()[4:6] == ["0", "0"], "a core of the gateway would hold its keys"
        for path in ("metrics", "healthz"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=20) as answer:
                assert not found_in(answer.read(), secrets)
        for asked in (["status", "--json"], ["status"], ["reconcile", "--json"]):
            line = [sys.executable, "-c", "from bog.cli.ctl import main; main()",
                    "--journal", str(bot.folder), *asked]  # fmt: skip
            said = subprocess.run(line, cwd=where, env=environment(), capture_output=True,
                                  timeout=PATIENCE_S, check=True)  # fmt: skip
            assert not found_in(said.stdout + said.stderr, secrets)
        bot.stop()
    finally:
        bot.kill()
    files = [path for path in where.rglob("*") if path.is_file()]
    assert {"journal", "report.json", "bog.log"} <= {p.name for p in files} | {
        p.parent.name for p in files
    }
    for path in files:
        assert not found_in(path.read_bytes(), secrets), path


def test_the_search_finds_a_key_in_a_process_that_holds_it(exchange: Exchange) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may read another process's memory here")
    path = exchange.key(4)
    program = (
        f"key = bytes.fromhex(open({str(path)!r}).read().strip()); print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        holder.stdout.readline()
        found = memory_of(holder.pid, forms_of(path.read_text().strip()))
        holder.stdin.write(b"\n")
    assert "raw" in found


def test_a_key_that_is_no_key_is_said_without_it(tmp_path: Path, exchange: Exchange) -> None:
    key = exchange.key(4).read_text().strip()
    broken = tmp_path / "broken.key"
    broken.write_text(key[:-1] + "z\n")
    broken.chmod(0o600)
    (tmp_path / "shm").mkdir(mode=0o700)
    keys = configuration(tmp_path, exchange) | {"BOG_LIVE__QUOTING_CREDENTIAL": str(broken)}
    refused = arm(tmp_path, keys)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0 and "neither 40 bytes nor 80 hex digits" in said
    assert key[:40] not in said and key[20:60] not in said and "Traceback" not in said
