"""Starts the engine's process before anything is known: it waits on its input for what to trade."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

Child = subprocess.Popen[bytes]
# how a module of ours is started: the folder in which bog was started is no place for its code
MODULE = (sys.executable, "-P", "-m")


@contextlib.contextmanager
def engine_process() -> Iterator[Child]:
    """Start a process that reads a spec from its standard input; leave none behind.

    One that was told nothing ends when its input does.
    """
    child = subprocess.Popen(
        [*MODULE, "bog.run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,  # a Ctrl-C in the terminal reaches bog-live only
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        yield child
    finally:
        child.stdin.close()
        child.stdout.close()
        if child.poll() is None:  # it was told nothing, or nobody waited for its end
            child.kill()
        child.wait()
