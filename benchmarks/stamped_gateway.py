"""The gateway, which writes down when it did what: `stamped_gateway.py FILE`, the spec on its input.

For each transaction by its nonce, CLOCK_MONOTONIC of when its command was taken from the link, when
it was signed, and when it stood in the file of what was signed. The product's gateway runs under it
as it is; three calls are timed on their way through.
"""

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bog.lighter import gateway
from bog.lighter.desk import Desk
from bog.signed import Writer

times: list[tuple[bytes, list[int]]] = []
take, add = Desk.take, Writer.add
last: list[int] = [0, 0]


def stamped_take(self: Desk, commands: Iterable[Any], now: int, venue_ms: int) -> None:
    take(self, commands, now, venue_ms)
    last[:] = now, time.monotonic_ns()


def stamped_add(self: Writer, unix_ns: int, kind: int, hash: str, text: bytes) -> None:
    add(self, unix_ns, kind, hash, text)
    times.append((text, [*last, time.monotonic_ns()]))


if __name__ == "__main__":
    Desk.take, Writer.add = stamped_take, stamped_add  # type: ignore[method-assign]
    code = gateway.main()
    Path(sys.argv[1]).write_text(
        json.dumps({json.loads(text)["Nonce"]: row for text, row in times})
    )
    sys.exit(code)
