"""The feed across processes: writers that die, tear and race; the command from start to Ctrl-C."""

import gzip
import mmap
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from resource import RLIMIT_FSIZE, setrlimit

import pytest

from bog._core.huginn import FeedRead, FeedState, layout
from bog._core.publisher import Publisher
from bog._core.reader import Reader
from bog._core.shm import object_path
from bog._core.source import open_source
from bog._core.types import RecordKind, RowKind, Status

ROOT = Path(__file__).resolve().parents[2]
RESET, LEVEL, TRADE = int(RowKind.ROW_RESET), int(RowKind.ROW_LEVEL), int(RowKind.ROW_TRADE)
STATUS = int(RowKind.ROW_STATUS)
WHERE = layout()
PATIENCE_S = 60.0
CSV_HEADER = "recv_ns,exch_ns,kind,side,price,size,id,eom\n"
Shared = Callable[[str], Path]


def spawn(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a writer of our own in another process."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def command(*arguments: object, name: str = "bog-feed") -> list[str]:
    function = "main" if name == "bog-feed" else "huginn"
    start = f"import sys; from bog.cli.feed import {function}; sys.argv[0] = {name!r}; {function}()"
    return [sys.executable, "-c", start, *map(str, arguments)]


def run(*arguments: object, name: str = "bog-feed") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments, name=name), cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip


def wait_for(what: Callable[[], bool]) -> None:
    """Return once `what` holds; fail when it does not for a minute."""
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "waited for a minute"
        time.sleep(0.005)


def attach(shm: Path, market: int = 1) -> Reader:
    """Attach to a feed that is about to start."""
    path = Path(object_path(1, market, shm))
    wait_for(lambda: path.exists() and path.stat().st_size == WHERE["object"][1])
    magic = WHERE["header.magic"]
    wait_for(lambda: path.read_bytes()[magic[0] : magic[1]] == b"BOGHUGIN")
    return Reader(market, directory=shm)


# writers that die


CHECKED_WRITER = """
import sys
from bog._core.publisher import Publisher
pub = Publisher(1, directory=sys.argv[1], price_decimals=1, size_decimals=5)
print(pub.epoch, flush=True)
number = 0
while True:
    kind = 84 if number % 5 == 4 else 76
    px = 1 + number * 7919 % 300
    qty = 1 + px * 31 + number % 997
    pub.put(kind, number % 2, px, qty, recv_ns=number, exch_ns=px ^ qty, id=number,
            eom=number % 5 >= 3)
    number += 1
    if number % 100 == 0:
        pub.heartbeat()
"""


def is_whole(row: tuple[int, ...]) -> bool:
    """Return whether a row is one that CHECKED_WRITER wrote, in all its fields."""
    number, kind, side, px, qty, recv_ns, exch_ns, found, _, eom, _ = row
    return (
        (kind, side, px) == (84 if number % 5 == 4 else 76, number % 2, 1 + number * 7919 % 300)
        and qty == 1 + px * 31 + number % 997
        and (recv_ns, exch_ns, found, eom) == (number, px ^ qty, number, int(number % 5 >= 3))
    )


def test_writer_killed_at_any_moment_leaves_nothing_torn_and_is_taken_over(shm: Path) -> None:
    chance = random.Random(2)
    read = None
    seen = 0
    for epoch in range(1, 13):
        writer = spawn(CHECKED_WRITER, shm)
        try:
            assert writer.stdout is not None
            assert int(writer.stdout.readline()) == epoch
            if read is None:
                read = Reader(1, directory=shm)
            else:
                assert read.row() is None and read.code == FeedRead.READ_EPOCH
                assert read.refresh()
            end = time.monotonic() + chance.uniform(0.001, 0.08)
            while time.monotonic() < end:
                row = read.row()
                if row is not None:
                    assert is_whole(row)
                    seen += 1
                elif read.code == FeedRead.READ_LAPPED:
                    read.book()
        finally:
            writer.kill()
            writer.communicate()
        for _ in range(200_000):
            row = read.row()
            if row is None and read.code != FeedRead.READ_LAPPED:
                break
            if row is None:
                if read.book() is None:
                    break  # killed while it wrote the page: never to be read
            else:
                assert is_whole(row)
        assert read.code == FeedRead.READ_NOTHING
        for _ in range(100):
            record = read.record()
            assert record is not None or read.code in (FeedRead.READ_NOTHING, FeedRead.READ_LAPPED)
        header = read.header()
        assert (header["state"], header["epoch"]) == (FeedState.HG_OPEN, epoch)
    assert read is not None
    assert read.garbage == 0
    assert seen > 0


# writers that tear


TEARING_WRITER = """
import mmap, os, random, sys, time
path, offset = sys.argv[1], int(sys.argv[2]) // 8
chance = random.Random(3)
words = memoryview(mmap.mmap(os.open(path, os.O_RDWR), 0)).cast("Q")
print("ready", flush=True)
seq = 0
while True:
    seq += 1
    at = offset + seq % 16 * 48
    words[at] = 2 * seq - 1
    cut = chance.randrange(1, 48) if chance.random() < 0.1 else 0
    for i in range(1, 48):
        if i == cut:
            time.sleep(0)
        words[at + i] = seq * 64 + i
    # kind book, ten levels a side; the checksum of the rest is that every word names seq
    words[at + 7] = 1 | 10 << 16 | 10 << 24 | (seq & 0xffffffff) << 32
    words[at] = 2 * seq
    words[25] = seq
"""


def test_no_torn_record_of_a_tearing_writer_is_ever_accepted(shm: Path) -> None:
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
        assert WHERE["header.seq"][0] == 25 * 8
        with Path(pub.path).open("rb") as file:
            raw = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        writer = spawn(TEARING_WRITER, pub.path, WHERE["records"][0])
        try:
            assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
            read = Reader(1, directory=shm)
            reads = accepted = torn_in_memory = 0
            while reads < 1_000_000 or accepted < 10_000 or torn_in_memory == 0:
                reads += 1
                record = read.record()
                if record is not None:
                    accepted += 1
                    seq = record["seq"]
                    assert record["pub_delta_ns"] == seq & 0xFFFFFFFF
                    words = [record["recv_ns"], record["exch_ns"]]
                    assert words == [seq * 64 + 5, seq * 64 + 6]
                    prices = [px for px, _ in record["bids"][:8] + record["asks"][:8]]
                    sizes = [qty for _, qty in record["bids"][:8] + record["asks"][:8]]
                    for first, found in ((8, prices[:8]), (16, sizes[:8]), (24, prices[8:])):
                        assert found == [seq * 64 + first + i for i in range(8)]
                    assert sizes[8:] == [seq * 64 + 32 + i for i in range(8)]
                if reads % 500 == 0:  # what a reader without the recheck would have seen
                    slot = WHERE["records"][0] + read.next_seq % 16 * 384
                    copy = struct.unpack("<48Q", raw[slot : slot + 384])
                    torn_in_memory += len({word // 64 for word in copy[8:]}) > 1
        finally:
            writer.kill()
            writer.communicate()
        raw.close()
    assert read.garbage == 0


# readers that are late


RACING_WRITER = """
import random, sys
from bog._core.publisher import Publisher
def rows(seed, count):
    chance = random.Random(seed)
    left = 0
    for number in range(count):
        left = left or chance.randrange(1, 6)
        left -= 1
        kind = 84 if chance.random() < 0.05 else 76
        yield (kind, chance.randrange(2), 1 + chance.randrange(400),
               chance.randrange(kind == 84, 50), int(left == 0))
if __name__ == "__main__":
    pub = Publisher(1, directory=sys.argv[1], price_decimals=1, size_decimals=5)
    all_rows = list(rows(int(sys.argv[2]), int(sys.argv[3])))
    print("ready", flush=True)
    sys.stdin.readline()
    for number, (kind, side, px, qty, eom) in enumerate(all_rows):
        pub.put(kind, side, px, qty, id=number, eom=eom)
    pub.close()
"""


def test_late_and_lapped_readers_have_the_book_of_one_from_the_start(shm: Path) -> None:
    count = 500_000
    scope: dict[str, Callable[[int, int], list[tuple[int, ...]]]] = {"__name__": "rows"}  # type: ignore[dict-item]
    exec(RACING_WRITER, scope)
    truth = list(scope["rows"](7, count))
    writer = spawn(RACING_WRITER, shm, 7, count)
    snapshots: list[tuple[int, dict[int, int], dict[int, int]]] = []
    try:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        stays = Reader(1, directory=shm)
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()

        def look(read: Reader) -> None:
            book = read.book()
            if book is None:
                assert read.code == FeedRead.READ_NOTHING
                return
            snapshots.append((read.next, dict(book[0]), dict(book[1])))
            for _ in range(50):
                row = read.row()
                if row is None:
                    break
                if row[1] != STATUS:
                    kind, side, px, qty, eom = truth[row[0]]
                    assert row[1:5] + row[7:8] + row[9:10] == (kind, side, px, qty, row[0], eom)

        while writer.poll() is None:
            look(stays)  # behind, lapped again and again
            look(Reader(1, directory=shm))  # attaches in the middle
            time.sleep(0.002)
        look(stays)
        look(Reader(1, directory=shm))
    finally:
        writer.kill()
        writer.communicate()
    assert stays.header()["rows"] == count + 1
    assert stays.garbage == 0
    assert stays.laps > 0 and stays.lost_rows > 0
    assert len(snapshots) > 5
    snapshots.sort(key=lambda found: found[0])
    assert snapshots[-1][0] == count + 1
    sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
    done = 0
    for number, bids, asks in snapshots:
        for kind, side, px, qty, _ in truth[done:number]:
            if kind == LEVEL and qty:
                sides[side][px] = qty
            elif kind == LEVEL:
                sides[side].pop(px, None)
        done = number
        assert (bids, asks) == sides, f"the book after {number} rows differs"


# the command


def events(shared: Shared) -> tuple[Path, bytes]:
    folder = shared("market-data/lighter-btc")
    return folder / "frames.jsonl.gz", gzip.decompress((folder / "events.csv.gz").read_bytes())


def test_dump_of_recorded_frames_equals_their_events_row_for_row(
    shm: Path, tmp_path: Path, shared: Shared
) -> None:
    frames, wanted = events(shared)
    out, tape = tmp_path / "out.csv", tmp_path / "out.tape"
    done = run("--market", 1, "--source", f"replay:{frames}", "--speed", "max", "--dir", shm,
               "--dump", out, "--record", tape)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == wanted
    again = tmp_path / "again.csv"
    done = run("--market", 1, "--source", f"replay:{tape}", "--speed", "max", "--dir", shm,
               "--dump", again)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert again.read_bytes() == wanted


def test_replay_keeps_every_row_and_scales_its_time_without_drift(
    shm: Path, shared: Shared
) -> None:
    frames, _ = events(shared)
    done = run("--market", 1, "--source", f"replay:{frames}", "--speed", "97", "--dir", shm)
    assert done.returncode == 0, done.stderr
    source = list(open_source(frames, 1, 1, 5))
    read = Reader(1, directory=shm)
    first = origin = None
    for wanted in source:
        row = read.row()
        assert row is not None
        first = wanted.recv_ns if first is None else first
        origin = row[5] if origin is None else origin
        assert row[5] - origin == (wanted.recv_ns - first) // 97
        assert row[1:5] == (ord(wanted.kind) if isinstance(wanted.kind, str) else wanted.kind,
                            wanted.side, wanted.px, wanted.qty)  # fmt: skip
        # received now, and stamped by the venue as long before that as it was
        received = row[5] + read.header()["unix_offset_ns"]
        stamped = wanted.exch_ns - wanted.recv_ns + received if wanted.exch_ns else 0
        assert row[6:8] == (stamped, wanted.id)
    last = read.row()
    assert last is not None and last[1] == STATUS and last[3] == Status.STATUS_END
    assert read.row() is None and read.code == FeedRead.READ_GONE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_closes_the_feed_and_exits_0(number: signal.Signals, shm: Path) -> None:
    feed = subprocess.Popen(
        command("--market", 1, "--dir", shm), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    try:
        read = attach(shm)
        wait_for(lambda: read.header()["seq"] > 10)
        assert Path(f"/proc/{feed.pid}/comm").read_text() == "bog-feed\n"
        feed.send_signal(number)
        _, said = feed.communicate(timeout=PATIENCE_S)
    finally:
        feed.kill()
    assert feed.returncode == 0
    assert "Traceback" not in said and f"{number.name}: closing" in said
    assert read.header()["state"] == FeedState.HG_CLOSED
    late = Reader(1, directory=shm)
    record = late.record()
    assert record is not None
    assert (record["kind"], record["status"]) == (RecordKind.REC_STATUS, Status.STATUS_END)


def test_heartbeat_goes_on_while_the_source_is_quiet(shm: Path, tmp_path: Path) -> None:
    quiet = tmp_path / "quiet.csv"
    quiet.write_text(
        CSV_HEADER + "1000000000,0,R,b,0,0,1,0\n1000000000,0,L,b,100,5,1,1\n"
        "900000000000,0,L,b,100,6,2,1\n"
    )
    feed = subprocess.Popen(
        command("--market", 1, "--dir", shm, "--source", f"replay:{quiet}"),
        cwd=ROOT, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        read = attach(shm)
        wait_for(lambda: read.header()["rows"] == 2)
        beats: list[int] = []

        def look() -> bool:
            beats.append(read.header()["heartbeat_ns"])
            return len(set(beats)) > 20

        wait_for(look)
        assert beats == sorted(beats)
        assert read.header()["rows"] == 2
        assert read.book() == ([(100, 5)], [])
    finally:
        feed.terminate()
        assert feed.wait(timeout=PATIENCE_S) == 0


def test_killed_feed_command_is_taken_over_by_the_next(shm: Path) -> None:
    feed = subprocess.Popen(
        command("--market", 1, "--dir", shm, "--speed", "max"), cwd=ROOT, stderr=subprocess.DEVNULL
    )
    read = attach(shm)
    wait_for(lambda: read.header()["rows"] > 1000)
    refused = run("--market", 1, "--dir", shm)
    assert refused.returncode == 78
    assert f"has a live writer, process {feed.pid}" in refused.stderr
    feed.kill()
    feed.wait()
    done = run("--market", 1, "--dir", shm, "--speed", "max", "--duration", "1")
    assert done.returncode == 0, done.stderr
    assert "epoch 2" in done.stderr
    assert read.row() is None and read.code == FeedRead.READ_EPOCH
    assert read.refresh()


def test_two_markets_of_one_process_do_not_mix(shm: Path, tmp_path: Path) -> None:
    for market in (0, 1):
        rows = "".join(f"{10**9 + i},0,T,b,{1 + market * 1000 + i},1,{i},1\n" for i in range(500))
        (tmp_path / f"m{market}.csv").write_text(CSV_HEADER + rows)
    done = run("--market", 1, "--market", 0, "--dir", shm, "--speed", "max",
               "--source", f"replay:{tmp_path}/m{{market}}.csv",
               "--dump", f"{tmp_path}/out{{market}}.csv")  # fmt: skip
    assert done.returncode == 0, done.stderr
    for market in (0, 1):
        text = (tmp_path / f"out{market}.csv").read_text()
        assert text == (tmp_path / f"m{market}.csv").read_text()
        read = Reader(market, directory=shm)
        assert [row[3] for row in iter(read.row, None)][:500] == [
            1 + market * 1000 + i for i in range(500)
        ]


def test_built_in_market_says_the_same_for_one_seed(shm: Path, tmp_path: Path) -> None:
    texts = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        out = tmp_path / f"{name}.csv"
        done = run("--market", 1, "--dir", shm, "--speed", "max", "--duration", "3",
                   "--seed", seed, "--dump", out)  # fmt: skip
        assert done.returncode == 0, done.stderr
        texts.append(out.read_bytes())
        assert ", 100 %" in done.stderr
    assert texts[0] == texts[1] != texts[2]
    assert len(texts[0]) > 10_000


def test_huginn_is_another_spelling(shm: Path) -> None:
    done = run("--market", 1, "--hft", "--dir", shm, "--duration", "0.5", name="huginn")
    assert done.returncode == 0, done.stderr
    assert Reader(1, directory=shm).header()["state"] == FeedState.HG_CLOSED
    assert "busy loop" in run("--help", name="huginn").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 2, "--market is missing"),
        (["--market", "1000000"], 2, "--market 1000000 is not between 0 and 999999"),
        (["--market", "-1"], 2, "--market -1 is not between"),
        (["--market", "1", "--market", "1"], 2, "names one market twice"),
        (["--market", "x"], 2, "'x' is not a valid integer"),
        (["--market", "1", "--source", "lighter", "--speed", "2"], 2, "not for lighter"),
        (["--market", "1", "--source", "replay:"], 2, "is not sim, replay:FILE, loop:FILE or"),
        (["--market", "1", "--source", "ether"], 2, "is not sim, replay:FILE, loop:FILE or"),
        (["--market", "1", "--speed", "0"], 2, "--speed '0'"),
        (["--market", "1", "--speed", "nan"], 2, "--speed 'nan'"),
        (["--market", "1", "--duration", "-1"], 2, "--duration -1.0"),
        (["--market", "1", "--duration", "inf"], 2, "--duration inf"),
        (["--market", "1", "--preset", "wild"], 2, "'wild' is not one of"),
        (["--market", "1", "--seed", "-1"], 2, "-1 is not in the range"),
        (["--market", "1", "--prefix", "a/b"], 2, "--prefix 'a/b'"),
        (["--market", "1", "--market", "0", "--dump", "x.csv"], 2, "{market} in it"),
        (["--market", "1", "--source", "replay:/nowhere.csv"], 1, "/nowhere.csv"),
        (["--market", "999"], 78, "markets.999 is not configured"),
        (["--market", "1", "--dir", "/nowhere"], 78, "/nowhere: No such file or directory"),
        (["--market", "1", "--dump", "/nowhere/x.csv"], 78, "/nowhere/x.csv: No such file"),
    ],
)
def test_bad_argument_is_refused_in_one_line(
    arguments: list[str], code: int, text: str, shm: Path
) -> None:
    done = run(*([] if "--dir" in arguments else ["--dir", shm]), *arguments)
    assert (done.returncode, text in done.stderr) == (code, True), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert list(shm.iterdir()) == []


def test_damaged_recording_ends_the_feed_with_one_line(shm: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(CSV_HEADER + "1000,0,L,b,100,5,1,1\n2000,0,L,q,100,5,1,1\n")
    done = run("--market", 1, "--dir", shm, "--source", f"replay:{bad}", "--speed", "max")
    assert done.returncode == 1
    assert "bad.csv: line 3" in done.stderr
    assert "Traceback" not in done.stderr


def test_file_that_cannot_grow_ends_the_recording_and_not_the_feed(
    shm: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    most = WHERE["object"][1] + 4096
    arguments = ["--market", 1, "--dir", shm, "--speed", "max", "--duration", 300, "--dump", out]
    done = subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=PATIENCE_S, preexec_fn=lambda: setrlimit(RLIMIT_FSIZE, (most, most)),
    )  # fmt: skip
    assert done.returncode == 1
    assert "recording ends at row" in done.stderr and "File too large" in done.stderr
    assert "not everything was recorded" in done.stderr.splitlines()[-1]
    assert out.stat().st_size <= most
    header = Reader(1, directory=shm).header()
    assert header["state"] == FeedState.HG_CLOSED
    assert f"{header['rows'] - 1} rows" in done.stderr


def test_a_pause_sent_to_every_process_named_bog_leaves_the_feed_running(shm: Path) -> None:
    process = subprocess.Popen(
        command("--market", 1, "--dir", shm), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    reader = attach(shm)
    wait_for(lambda: reader.header()["rows"] > 0)
    for number in (signal.SIGUSR2, signal.SIGUSR1):
        process.send_signal(number)
    rows = reader.header()["rows"]
    wait_for(lambda: process.poll() is not None or reader.header()["rows"] > rows)
    assert process.poll() is None
    process.terminate()
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0 and "SIGTERM: closing" in said
