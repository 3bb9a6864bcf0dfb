"""The tools that look at a feed, on real feeds and bots: what they print, and how they refuse."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bog._core.huginn import layout
from bog._core.publisher import Publisher
from bog._core.shm import object_path
from bog._core.types import Flag, RowKind
from bog.sight import Looker
from tests.rig.live import PATIENCE_S, Bot, environment, wait_for

RESET, LEVEL = int(RowKind.ROW_RESET), int(RowKind.ROW_LEVEL)
WHERE = layout()
Feeds = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def feeds(shm: Path) -> Iterator[Feeds]:
    """Start feeds of the built-in market in `shm`; none is left running."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: object) -> subprocess.Popen[bytes]:
        line = ["bog.cli.feed", "--market", "1", "--dir", shm, *arguments]
        process = subprocess.Popen([sys.executable, "-m", *map(str, line)], env=environment(),
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        started.append(process)
        wait_for(lambda: (book := Looker(1, shm, stale_ms=60_000).look(5).book) and book.mid2
                 and not book.stale)  # fmt: skip
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def look(shm: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run print-orderbook."""
    line = [sys.executable, "-m", "bog.cli.book", "--dir", shm, *arguments]
    return subprocess.run(
        [*map(str, line)], env=environment(), capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip


def refused(answer: subprocess.CompletedProcess[str]) -> str:
    """Return the one line of a refusal with exit code 1 and nothing on standard output."""
    assert (answer.returncode, answer.stdout) == (1, ""), answer
    (line,) = answer.stderr.splitlines()
    return line


def test_every_format_shows_the_running_feed(shm: Path, feeds: Feeds) -> None:
    feeds()
    slow = ("--stale-after", 60_000)  # of a loaded machine
    pretty = look(shm, "--levels", 3, *slow)
    assert pretty.returncode == 0, pretty.stderr
    sides = [line.split()[0] for line in pretty.stdout.splitlines()[2:-1]]
    assert sides == ["ask"] * 3 + ["mid"] + ["bid"] * 3
    compact = look(shm, "--market", 1, "--format", "compact", *slow).stdout
    assert re.fullmatch(r"market 1 seq \d+ bid [\d.]+ x [\d.]+ ask .* age \d+.*\n", compact)
    before = time.time_ns()
    first = json.loads(look(shm, "--format", "json", *slow).stdout)
    assert first["market_id"] == 1 and first["sequence"] > 0
    assert len(first["bids"]) == len(first["asks"]) == 10
    bids, asks = ([level["price"] for level in first[side]] for side in ("bids", "asks"))
    assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0]
    times = first["timestamps"]
    assert before < times["read_ns"] < time.time_ns()
    assert abs(times["received_ns"] - times["read_ns"]) < PATIENCE_S * 1e9
    assert abs(times["exchange_ns"] - times["read_ns"]) < PATIENCE_S * 1e9
    assert 0 <= first["age_ms"] < 60_000

    def sequence() -> int:
        return int(json.loads(look(shm, "--format", "json", *slow).stdout)["sequence"])

    wait_for(lambda: sequence() > first["sequence"])  # the feed goes on, when it gets the core


def test_no_feed_is_one_line_that_says_how_to_start_one(shm: Path) -> None:
    line = refused(look(shm))
    assert line == (
        f"print-orderbook: error: no feed of market 1: {shm}/hg_m1000001 does not exist;"
        " start one: bog-feed --market 1"
    )


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (signal.SIGKILL, r"its writer, process \d+, died, [\d.]+ m?s ago"),
        (signal.SIGTERM, r"its writer has ended, [\d.]+ m?s ago"),
        (signal.SIGSTOP, r"its writer, process \d+, has been silent for [\d.]+ m?s"),
    ],
)
def test_a_stale_feed_is_one_line_that_says_why(
    number: signal.Signals, why: str, shm: Path, feeds: Feeds
) -> None:
    feed = feeds()
    feed.send_signal(number)
    if number != signal.SIGSTOP:
        feed.wait(PATIENCE_S)
    looker = Looker(1, shm)
    wait_for(lambda: (book := looker.look(1).book) and book.stale)
    line = refused(look(shm))
    assert re.search(f"feed of market 1 is stale: {why}; start it again: bog-feed", line), line


def test_a_feed_without_a_book_is_one_line(shm: Path) -> None:
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
        pub.put(RESET)
        line = refused(look(shm, "--stale-after", 60_000))
    assert f"feed of market 1 has no book yet: {shm}/hg_m1000001" in line


def test_a_feed_of_another_build_is_one_line(shm: Path) -> None:
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
        with Path(pub.path).open("r+b") as file:
            file.seek(WHERE["header.version"][0])
            file.write((9).to_bytes(4, "little"))
        line = refused(look(shm))
    assert "has layout version 9, this build reads 1" in line


def test_a_looker_follows_a_feed_that_starts_anew(shm: Path) -> None:
    looker = Looker(1, shm)
    assert looker.look(5).book is None
    for epoch in (1, 2):
        with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
            pub.put(RESET, eom=0, flags=int(Flag.F_SNAPSHOT))
            pub.put(LEVEL, 0, 1000 * epoch, 7)
            book = looker.look(5).book
            assert book is not None and not book.stale
            assert (book.epoch, book.bids) == (epoch, ((1000 * epoch, 7),))
    book = looker.look(5).book
    assert book is not None and "has ended" in book.stale
    Path(object_path(1, 1, shm)).unlink()
    assert looker.look(5).book is not None  # what is mapped stays to be seen, as stale


def test_a_looker_writes_nothing_and_leaves_the_writer_alone(shm: Path) -> None:
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
        pub.put(RESET, eom=0, flags=int(Flag.F_SNAPSHOT))
        pub.put(LEVEL, 0, 1000, 7)
        before = Path(pub.path).read_bytes()
        Path(pub.path).chmod(0o400)  # the looker could not write if it would
        looker = Looker(1, shm)
        for _ in range(100):
            assert looker.look(5).book is not None
        assert Path(pub.path).read_bytes() == before


def test_a_bot_is_seen_beside_its_feed_while_it_lives(tmp_path: Path) -> None:
    bot = Bot(tmp_path)
    try:
        looker = Looker(1, bot.shm, stale_ms=60_000)
        bot.trading()
        wait_for(lambda: (seen := looker.look(5).bot) and seen.pid == bot.pid
                 and seen.page["orders"])  # fmt: skip
        bot.stop()
    finally:
        bot.kill()
    wait_for(lambda: looker.look(5).bot is None)


def test_a_page_of_another_build_is_one_line(shm: Path) -> None:
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
        pub.put(RESET, eom=0, flags=int(Flag.F_SNAPSHOT))
        pub.put(LEVEL, 0, 1000, 7)
        sleeper = subprocess.Popen(["sleep", str(PATIENCE_S)])
        try:
            (shm / f"bog_m1000001.{sleeper.pid}").write_bytes(bytes(4096))
            sight = Looker(1, shm).look(5)
        finally:
            sleeper.kill()
            sleeper.wait()
    assert sight.book is not None and sight.bot is None
    assert "its page is not read" in sight.bot_trouble
    assert "another version" in sight.bot_trouble


# orderbook-tui in a real terminal


class Terminal:
    """A terminal of tmux in which orderbook-tui runs on the feed in `shm`."""

    def __init__(self, where: Path, shm: Path, *arguments: object, **environ: str) -> None:
        self.base = [str(shutil.which("tmux")), "-S", str(where / "tmux"), "-f", "/dev/null"]
        self.shm, self.pid_file = shm, where / "pid"
        line = ["--dir", shm, "--stale-after", 60_000, *arguments]
        words = " ".join(f"'{word}'" for word in line)
        script = where / "start.sh"
        # the process id of the program is that of the shell which becomes it
        script.write_text(
            f"sh -c 'echo $$ >{self.pid_file}; exec \"$@\"' - {sys.executable} -m bog.cli.tui {words}\n"
            'echo "ended with $?"\nsleep 600\n'
        )
        subprocess.run(
            [*self.base, "new-session", "-d", "-x", "80", "-y", "24", f"sh {script}"], check=True,
            env=environment(TERM="xterm-256color") | environ,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def screen(self, *options: str) -> str:
        done = subprocess.run(
            [*self.base, "capture-pane", "-p", *options], capture_output=True, text=True, check=True
        )
        return done.stdout

    def shows(self, pattern: str) -> str:
        """Return the screen once it has a line that matches; AssertionError with what it has else."""
        until = time.monotonic() + PATIENCE_S
        while not re.search(pattern, screen := self.screen(), re.M):
            assert time.monotonic() < until, f"no {pattern!r} on this screen:\n{screen}"
            time.sleep(0.02)
        return screen

    def types(self, *keys: str) -> None:
        subprocess.run([*self.base, "send-keys", *keys], check=True)

    def resize(self, width: int, height: int) -> None:
        subprocess.run(
            [*self.base, "resize-window", "-x", str(width), "-y", str(height)], check=True
        )

    def close(self) -> None:
        subprocess.run([*self.base, "kill-server"], check=False, capture_output=True)


@pytest.fixture
def terminals(tmp_path: Path, shm: Path) -> Iterator[Callable[..., Terminal]]:
    """Open terminals; skip where there is no tmux, never in CI."""
    if shutil.which("tmux") is None:
        message = "tmux is not installed (tools/packages.sh): no terminal to type in"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    opened: list[Terminal] = []

    def start(*arguments: object, **environ: str) -> Terminal:
        terminal = Terminal(tmp_path, shm, *arguments, **environ)
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.close()


def cpu_sec(pid: int) -> float:
    """Return the CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_keys_in_a_terminal_do_what_the_last_line_says(
    shm: Path, feeds: Feeds, terminals: Callable[..., Terminal]
) -> None:
    feeds()
    terminal = terminals()
    terminal.shows(r"^mid +[\d.]+  spread [\d.]+ USD  [\d.]+ bps")
    screen = terminal.shows("^q quit ")  # the last that is drawn of a frame
    assert len(screen.splitlines()) == 24
    assert len(re.findall(r"^ask ", screen, re.M)) == len(re.findall(r"^bid ", screen, re.M)) == 5
    assert "q quit  p pause  m metrics  s spread  r reset  1-9 + - depth  ? help" in screen
    terminal.types("m")
    terminal.shows(r"^frames \d+")
    terminal.types("s")
    terminal.shows(r"^spread, bps")
    terminal.resize(120, 40)
    terminal.types("9")
    screen = terminal.shows(r"depth 9$")
    assert len(re.findall(r"^ask ", screen, re.M)) == 9
    terminal.types("-")
    terminal.shows(r"depth 8$")
    terminal.types("+", "+")
    terminal.shows(r"depth 10$")
    terminal.types("?")
    terminal.shows(r"^r +reset the statistics")
    terminal.types("?")
    terminal.shows(r"^mid ")
    terminal.types("p")
    still = terminal.shows("PAUSED")
    frames = int(re.findall(r"^frames (\d+)", still, re.M)[0])
    time.sleep(0.5)
    assert terminal.screen() == still
    terminal.types("p")
    terminal.shows(rf"^frames (?!{frames} )")
    before, at = cpu_sec(terminal.pid), time.monotonic()
    time.sleep(2)
    share = (cpu_sec(terminal.pid) - before) / (time.monotonic() - at)
    print(f"\norderbook-tui at 120x40, all panels: {100 * share:.1f} % of a core")
    terminal.types("q")
    assert "Traceback" not in terminal.shows("^ended with 0$")


def test_a_size_in_the_environment_does_not_stand_against_the_terminal(
    shm: Path, terminals: Callable[..., Terminal]
) -> None:
    terminal = terminals(COLUMNS="80", LINES="24")
    terminal.shows("^NO FEED")
    terminal.resize(100, 30)
    wait_for(lambda: terminal.screen().splitlines()[29].startswith("q quit"))


def test_a_bot_is_shown_with_its_quotes(
    tmp_path: Path, shm: Path, terminals: Callable[..., Terminal]
) -> None:
    bot = Bot(tmp_path)
    try:
        bot.trading()
        terminal = terminals("--metrics")
        screen = terminal.shows(rf"^bot {bot.pid}  run 1  RUN  strategy active")
        assert re.search(r"^position +-?[\d.]+ at .* pnl .* fills \d+$", screen, re.M)
        assert re.search(r"^breaker +no halt, violations 0  connection closed", screen, re.M)
        terminal.shows(r"^our (ask|bid)    [\d.]+ at [\d.]+ ")
        terminal.shows(r"^requests \d+")
        before = bot.page()["turns"]
        wait_for(lambda: bot.page()["turns"] > before)  # and goes on to trade
        bot.stop()
        terminal.shows(r"^market 1 .*STALE")
        wait_for(lambda: f"bot {bot.pid}" not in terminal.screen())
    finally:
        bot.kill()


def test_the_core_of_a_pinned_engine_is_left_alone(
    tmp_path: Path, shm: Path, terminals: Callable[..., Terminal]
) -> None:
    cores = os.sched_getaffinity(0)
    core = max(cores)
    bot = Bot(tmp_path, "--cpu", core)
    try:
        bot.trading()
        terminal = terminals()
        terminal.shows(rf"^bot {bot.pid} ")
        assert os.sched_getaffinity(bot.engine()) == {core}
        wait_for(lambda: os.sched_getaffinity(terminal.pid) == (cores - {core} or cores))
    finally:
        bot.kill()


@pytest.mark.parametrize("end", ["C-c", signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_every_end_leaves_the_terminal_as_it_was(
    end: str | signal.Signals, shm: Path, terminals: Callable[..., Terminal]
) -> None:
    terminal = terminals()
    terminal.shows("^NO FEED")
    if isinstance(end, str):
        terminal.types(end)
    else:
        os.kill(terminal.pid, end)
    screen = terminal.shows("^ended with 0$")
    assert "NO FEED" not in screen and "Traceback" not in screen
    # what is typed is echoed again
    terminal.types("seen again")
    terminal.shows("seen again")


@pytest.mark.parametrize(("environ", "colored"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_honored(
    environ: dict[str, str], colored: bool, shm: Path, feeds: Feeds,
    terminals: Callable[..., Terminal],
) -> None:  # fmt: skip
    feeds()
    terminal = terminals(**environ)
    terminal.shows(r"^mid ")
    codes = re.findall(r"\x1b\[([\d;]*)m", terminal.screen("-e"))
    numbers = {int(number or 0) for code in codes for number in code.split(";")}
    colors = {n for n in numbers if 30 <= n <= 49 or 90 <= n <= 107} - {39, 49}
    assert bool(colors) == colored, sorted(numbers)


def test_without_a_terminal_it_points_to_print_orderbook(shm: Path) -> None:
    line = [sys.executable, "-m", "bog.cli.tui", "--dir", str(shm)]
    answer = subprocess.run(line, env=environment(), capture_output=True, text=True, check=False,
                            stdin=subprocess.DEVNULL, timeout=PATIENCE_S)  # fmt: skip
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        "orderbook-tui: error: there is no terminal here: print-orderbook prints one look\n"
    )


def test_without_textual_it_says_what_to_install(shm: Path) -> None:
    program = "import sys; sys.modules['textual'] = None; from bog.cli.tui import main; main()"
    answer = subprocess.run([sys.executable, "-c", program], env=environment(), check=False,
                            capture_output=True, text=True, timeout=PATIENCE_S)  # fmt: skip
    assert answer.returncode == 2
    assert answer.stderr == (
        "orderbook-tui: error: orderbook-tui needs textual: pip install 'bog-mm[terminal]'\n"
    )


def test_trading_does_not_import_what_draws_the_ladder() -> None:
    program = (
        "import sys, bog.cli.live, bog.session, bog.run, bog.screen, bog.cli.book, bog.snapshot; "
        "print([name for name in sys.modules if name.startswith(('textual', 'bog.tui'))])"
    )
    answer = subprocess.run([sys.executable, "-c", program], env=environment(), check=True,
                            capture_output=True, text=True, timeout=PATIENCE_S)  # fmt: skip
    assert answer.stdout == "[]\n"


def test_the_benchmark_prints_what_the_screen_costs() -> None:
    program = Path(__file__).resolve().parents[2] / "benchmarks" / "bench_tui.py"
    answer = subprocess.run([sys.executable, str(program), "--seconds", "1"], env=environment(),
                            capture_output=True, text=True, check=True, timeout=3 * PATIENCE_S)  # fmt: skip
    head, _, *rows = answer.stdout.splitlines()
    assert re.fullmatch(r"orderbook-tui for 1 s, load [\d.]+, all panels", head)
    assert [row.split()[0] for row in rows] == ["80x24", "120x40"]
    for row in rows:
        assert re.fullmatch(r"\d+x\d+ +[\d.]+ %( +[\d.]+){4}", row)


def test_a_feed_that_may_not_be_read_is_one_line(shm: Path) -> None:
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
        Path(pub.path).chmod(0o622)
        line = refused(look(shm))
    assert "group or others may write to it" in line
