"""Ten thousand clients of the HTTP port that idle, dawdle, talk garbage or never read: trading goes on."""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.rig.live import PATIENCE_S, Bot, wait_for
from tests.rig.metrics import free_port

CLIENTS = 10_000
GROWTH_KB = 8192  # what 32 clients at once may leave in the heap of an interpreter
# each client is one of four kinds; all stay open for as long as the bot lets them
PROGRAM = """
import resource, socket, sys, time
port, clients = int(sys.argv[1]), int(sys.argv[2])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
most = min(clients, hard - 100)  # open at once
said = [b"", b"G", b"\\x00\\xff\\r\\n" * 99, b"GET /metrics HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n"]
crowd, came = [], [0, 0, 0, 0]
for number in range(clients):
    client = socket.socket()
    if number % 4 == 3:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", port))  # a full queue of the port makes it wait, not us
    try:
        client.send(said[number % 4])
        came[number % 4] += 1
    except OSError:
        pass  # not there yet, or hung up on already
    crowd.append(client)
    time.sleep(0.001)
    if len(crowd) > most:
        crowd.pop(0).close()
    if number % 500 == 0:
        for one in crowd[1::4]:
            try:
                one.send(b"E")  # a byte now and then
            except OSError:
                pass
print(*came, flush=True)
"""


def resident_kb(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


def scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        return str(answer.read().decode())


def p99_ns(text: str) -> str:
    name = r'bog_performance_tick_to_trade_quantile_ns\{market="1",quantile="0.99"\} (\S+)'
    found = re.search(name, text)
    assert found is not None
    return found[1]


@pytest.fixture
def watched(tmp_path: Path):  # type: ignore[no-untyped-def]
    port = free_port()
    bot = Bot(tmp_path, BOG_MONITORING__PROMETHEUS_PORT=str(port))
    yield bot, port
    bot.kill()


def test_ten_thousand_clients_cost_no_memory_and_no_trading(watched: tuple[Bot, int]) -> None:
    bot, port = watched
    bot.trading(fills=1)
    before = scraped(port)
    engine, books = bot.engine(), bot.page()["books"]
    held = resident_kb(bot.pid), resident_kb(engine)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(port), str(CLIENTS)], capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    spoke = list(map(int, done.stdout.split()))
    assert min(spoke) > CLIENTS / 100, spoke
    assert bot.page()["books"] > books
    after = wait_for(lambda: scraped(port))
    grown = resident_kb(bot.pid) - held[0], resident_kb(engine) - held[1]
    print(
        f"{CLIENTS} clients, {sum(spoke)} spoke: bog-live {grown[0]} kB more, engine {grown[1]} kB;"
        f" tick-to-trade p99 of the run {p99_ns(before)} ns before, {p99_ns(after)} ns after"
    )
    assert grown[0] < GROWTH_KB and grown[1] < 1024
    amended = bot.page()["amended"]
    wait_for(lambda: bot.page()["amended"] > amended)
    bot.stop()
