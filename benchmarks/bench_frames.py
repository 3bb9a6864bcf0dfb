"""What a frame of the venue costs: parsed, and parsed and published into shared memory.

Frames have the venue's spelling. The update has six levels and 500 bytes, the snapshot is as large as
the one of a busy market. Publishing goes through the same call as a frame from the socket: the
receive time is read, the frame is routed to its market, parsed, its rows and its record are stored.
"""

import json
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bog._core.frames import FramesProbe
from bog._core.publisher import Publisher
from bog._core.stream import MarketStream, Stream

UPDATES = 2000
PARSES = 1000
NONCE = 17_926_042_877
MICROS = 1_785_252_530_119_936


def frame(kind: str, levels: int, number: int, begin: int) -> bytes:
    """Return one book frame of `levels` levels in all, half of them a side."""
    half = levels // 2
    sides = {
        side: [
            {
                "price": f"{price + step * (i + number % 3) / 100:.2f}",
                "size": f"{1 + i % 90}.{i:04d}",
            }
            for i in range(half)
        ]
        for side, price, step in (("asks", 1915.0, 1), ("bids", 1914.9, -1))
    }
    stamp = {"last_updated_at": MICROS + number}
    link = {"offset": 2_043_106 + number, "nonce": NONCE + 7 * number, "begin_nonce": begin}
    book = {"code": 0} | sides | link | stamp
    text = {"channel": "order_book:0"} | stamp | {"offset": link["offset"], "order_book": book}
    text |= {"timestamp": MICROS // 1000, "type": f"{kind}/order_book"}
    return json.dumps(text, separators=(",", ":")).encode()


def update(number: int) -> bytes:
    return frame("update", 6, number, NONCE + 7 * (number - 1))


SNAPSHOT = frame("subscribed", 2700, 0, 0)


@pytest.mark.parametrize("what", ["update", "snapshot"])
def test_parse(benchmark: BenchmarkFixture, what: str) -> None:
    """Parse one frame into rows."""
    probe = FramesProbe(0, 2, 4)
    text = SNAPSHOT if what == "snapshot" else update(1)
    probe.count(SNAPSHOT)
    if what == "update":
        probe.parse(SNAPSHOT)
    times = PARSES if what == "update" else 20
    rows = benchmark(probe.count, text, times)
    assert rows == (6 if what == "update" else 2701)
    best = benchmark.stats.stats.min / times
    print(f"\nparse a {what} of {len(text)} bytes: min {best * 1e9:.0f} ns, "
          f"{best / len(text) * 1e9:.2f} ns a byte")  # fmt: skip


@pytest.mark.parametrize("what", ["update", "snapshot"])
def test_parse_and_publish(benchmark: BenchmarkFixture, tmp_path: Path, what: str) -> None:
    """Parse one frame and publish its rows, the Python call for each frame included."""
    updates = [update(n) for n in range(1, UPDATES + 1)]
    frames = updates if what == "update" else [SNAPSHOT] * 10
    with Publisher(0, directory=tmp_path, price_decimals=2, size_decimals=4) as publisher:
        market = MarketStream(publisher, 2, 4)
        stream = Stream([market])

        def play() -> None:
            take = stream.frame
            for text in frames:
                take(text)

        benchmark.pedantic(play, setup=lambda: stream.frame(SNAPSHOT) and None, rounds=60)
        assert stream.malformed == 0
        assert market.counters()["gaps"] == market.counters()["duplicates"] == 0
        assert market.messages == 60 * (1 + len(frames))
    best = benchmark.stats.stats.min / len(frames)
    middle = benchmark.stats.stats.median / len(frames)
    print(f"\nparse and publish a {what} of {len(frames[0])} bytes: min {best * 1e9:.0f} ns, "
          f"median {middle * 1e9:.0f} ns")  # fmt: skip
