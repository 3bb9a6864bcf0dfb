"""A name server on loopback that knows one name, late or never, and processes that ask no other."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

NAME = "venue.test"  # RFC 6761: nobody has it
RECORD_A, NXDOMAIN, SERVFAIL = 1, 3, 2
# as the venue's own host has them, but for one attempt, so that a late answer is still waited for
OPTIONS = "options timeout:30 attempts:1"
MOUNT = (
    'mount --bind "$0/resolv.conf" /etc/resolv.conf && '
    'mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf && exec "$@"'
)


class Resolver:
    """Answers with 127.0.0.1, after `late_s`; `says` is a code of an error instead, -1 nothing.

    `before` are the words in front of a command line whose process asks it, and nobody else.
    """

    def __init__(self, where: Path) -> None:
        self.late_s, self.says, self.asked = 0.0, 0, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        pid = os.getpid()
        self.host = f"127.53.{pid >> 8 & 255}.{pid & 255}"
        self.socket.bind((self.host, 53))
        where.mkdir()
        (where / "resolv.conf").write_text(f"nameserver {self.host}\n{OPTIONS}\n")
        (where / "nsswitch.conf").write_text("hosts: dns\n")
        self.before: Sequence[str] = ("unshare", "--mount", "--", "sh", "-c", MOUNT, str(where))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            asked, client = self.socket.recvfrom(512)
            if not asked:
                return  # of `close`
            self.asked += 1
            if self.says >= 0:
                threading.Thread(
                    target=self._answer, args=(asked, client, self.late_s, self.says), daemon=True
                ).start()

    def _answer(self, asked: bytes, client: tuple[str, int], late_s: float, code: int) -> None:
        """Answer one question: an address of the name, no row of any other kind."""
        time.sleep(late_s)
        end = asked.index(b"\0", 12) + 5
        name = NAME.encode().split(b".")
        known = (
            asked[12:end]
            .lower()
            .startswith(b"".join(bytes((len(part),)) + part for part in name) + b"\0")
        )
        code = code or (0 if known else NXDOMAIN)
        found = not code and asked[end - 3] == RECORD_A
        head = asked[:2] + bytes((0x81, 0x80 | code, 0, 1, 0, found, 0, 0, 0, 0))
        row = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton("127.0.0.1")  # nobody may keep it
        with contextlib.suppress(OSError):  # closed meanwhile
            self.socket.sendto(head + asked[12:end] + row * found, client)

    def close(self) -> None:
        self.socket.sendto(b"", (self.host, 53))
        self.thread.join()
        self.socket.close()
