"""Words for whoever reads standard output, who may be slow, stopped or gone: trading waits for none."""

from __future__ import annotations

import os
import select
import sys
import time
from collections import Counter
from typing import TextIO

CHUNK = 4096  # PIPE_BUF of Linux: a pipe that polls writable takes so much without waiting

_drops: Counter[str] = Counter()


def dropped() -> int:
    """Return how many texts were not said, or not whole."""
    return _drops["texts"]


def tell(text: str, stream: TextIO | None = None, patience_sec: float = 0.0) -> bool:
    """Write `text` and a line end; return whether all of it was taken within the patience.

    `stream` is standard output when None. A reader that is gone, a full disk and a full pipe cost
    the text, which is counted, and nothing else.
    """
    target = sys.stdout if stream is None else stream
    try:
        descriptor = target.fileno()
    except (OSError, ValueError):  # no file: memory, which takes everything
        print(text, file=target)
        return True
    rest = f"{text}\n".encode(errors="backslashreplace")
    until = time.monotonic() + patience_sec
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    try:
        target.flush()
        while rest:
            left_ms = max(0, int((until - time.monotonic()) * 1000))
            if not poll.poll(left_ms):
                break
            rest = rest[os.write(descriptor, rest[:CHUNK]) :]
    except OSError:
        pass
    _drops["texts"] += bool(rest)
    return not rest
