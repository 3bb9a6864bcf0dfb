"""A notice over HTTP to an address that is a secret: bounded in time, never redirected, by no proxy."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

TOTAL_SEC = 5.0  # from the first packet of a connection to the status line


class Refused(Exception):
    """A receiver did not take a notice; the words name no address."""


def post(url: str, said: dict[str, Any]) -> None:
    """Post JSON; raise Refused unless the answer is 2xx within TOTAL_SEC."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    began = time.monotonic()
    connection = kind(parts.hostname or "", parts.port, timeout=TOTAL_SEC)
    # a byte now and then would renew the timeout for ever
    cut = threading.Timer(TOTAL_SEC, _cut, [connection])
    cut.daemon = True
    cut.start()
    try:
        path = parts.path or "/"
        connection.request(
            "POST",
            f"{path}?{parts.query}" if parts.query else path,
            json.dumps(said).encode(),
            {"Content-Type": "application/json", "Connection": "close"},
        )
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Refused(getattr(error, "strerror", None) or type(error).__name__) from None
    finally:
        cut.cancel()
        connection.close()
    if time.monotonic() - began >= TOTAL_SEC:
        raise Refused(f"no whole answer in {TOTAL_SEC:.0f} s")  # what came of one may look like 200
    if not 200 <= status < 300:
        raise Refused(f"answered {status}")


def _cut(connection: http.client.HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
