"""What can go wrong at the local venue: the words of its script."""

from __future__ import annotations

from typing import Any

from tests.rig.hostile import HOSTILE

# name: what it may say besides `market` and `at`
FAULTS: dict[str, tuple[str, ...]] = {
    "drop": ("count",),  # lose this update and count - 1 more
    "duplicate": (),  # send it twice
    "older": ("back",),  # send the update `back` before it once more, after it
    "nonce": ("by",),  # its link to the one before is off by `by`
    "hostile": ("name",),  # send what HOSTILE makes of it in its place
    "inject": ("name",),  # send that before it
    "text": ("text",),  # send this text before it
    "cut_wire": (),  # its WebSocket frame ends in the middle, and so does the connection
    "loris": ("delay_ms", "bytes"),  # its first bytes one at a time
    "disconnect": ("how", "away"),  # fin, rst, close or shutdown; `away` updates pass meanwhile
    "silence": ("away",),  # this connection gets nothing any more, not even a pong
    "late": ("away",),  # the next snapshot comes `away` updates after its subscription
    "offset": ("by",),  # offsets jump by this from here on, as those of another server
    "ping": ("how",),  # json or frame
    "door": ("how", "count"),  # the next connections meet: rst, 503, hang, or no_greeting
    "details": ("set",),  # orderBookDetails says this of the market from here on
    "rest": ("status", "body", "count"),  # the next requests get this answer; status 0: none ever
}
# done to a book update: the next one, when update N is of another channel
BOOK_ONLY = ("drop", "duplicate", "older", "nonce", "hostile", "cut_wire", "loris")


def check_faults(faults: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the script; ValueError for a name or a word that is not in FAULTS."""
    for fault in faults:
        do = fault.get("do")
        if do not in FAULTS:
            raise ValueError(f"fault {do!r} is not one of {', '.join(FAULTS)}")
        for word in fault.keys() - {"do", "market", "at"}:
            if word not in FAULTS[do]:
                raise ValueError(f"fault {do} does not know {word!r}: want {FAULTS[do]}")
        if do in ("hostile", "inject") and fault["name"] not in HOSTILE:
            raise ValueError(f"hostile frame {fault['name']!r} is not one of {', '.join(HOSTILE)}")
    return faults
