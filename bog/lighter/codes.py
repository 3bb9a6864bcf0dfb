"""The venue's error codes: what each means for a transaction, and what to do about it.

One table for everyone. A code that is not in it has the strictest reading: nothing is known of the
transaction's fate, and a person is told.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from bog._core.types import Reject

# what happens at the door of the API: the sequencer never saw a transaction that was refused so
NONCE = 21104
NOT_FOUND = 21500  # of `tx`: no transaction has this hash


class Act(Enum):
    """What a refusal asks for."""

    TELL = "tell"  # the order is refused, which is all
    RESYNC = "resync"  # the key's nonce is not what was thought: ask for it
    LOOK = "look"  # the order is not what was thought: ask for its own state
    SLOW = "slow"  # too much was asked: wait, cancels first
    TOKEN = "token"  # the token is bad: make a new one, once
    HALT = "halt"  # nothing works until a person has looked
    UNKNOWN = "unknown"  # says nothing about what became of a transaction


class Meaning(NamedTuple):
    act: Act
    reject: int = Reject.REJ_OTHER  # as the engine is told

    @property
    def refuses(self) -> bool:
        """Whether a transaction refused with it is definitely not executed."""
        return self.act is not Act.UNKNOWN


_TELL = Meaning(Act.TELL)
_MARGIN = Meaning(Act.TELL, Reject.REJ_MARGIN)
_PRICE = Meaning(Act.TELL, Reject.REJ_PRICE)
_OPEN = Meaning(Act.TELL, Reject.REJ_OPEN_ORDERS)
_GONE = Meaning(Act.LOOK, Reject.REJ_NOT_FOUND)
_SLOW = Meaning(Act.SLOW, Reject.REJ_RATE)
_HALT = Meaning(Act.HALT)
UNKNOWN = Meaning(Act.UNKNOWN)

MEANINGS: dict[int, Meaning] = {
    20001: Meaning(Act.TOKEN), 20013: Meaning(Act.TOKEN),
    NONCE: Meaning(Act.RESYNC),
    # a batch that was built wrongly, a key that is not ours, another chain: no retry mends those
    **dict.fromkeys((21105, 21121, 21513, 21514, 21100, 21101, 21102, 21108, 21109, 21110, 21120,
                     21123, 21136, 21504), _HALT),
    **dict.fromkeys((21111, 21112, 21507, 21508, 21723, 21301, 21304, 21739), _MARGIN),
    # the dead man's switch is due, or a cancel-all is queued: orders wait
    21122: Meaning(Act.SLOW, Reject.REJ_HALTED), 21712: Meaning(Act.SLOW, Reject.REJ_HALTED),
    **dict.fromkeys((21600, 21700, 21708, 21709, 21715, 21730), _GONE),
    **dict.fromkeys((21601, 21717, 21718, 21719, 21720, 21721, 21722), _OPEN),
    21602: Meaning(Act.TELL, Reject.REJ_HALTED), 21605: Meaning(Act.TELL, Reject.REJ_HALTED),
    21701: Meaning(Act.TELL, Reject.REJ_LOT), 21702: _PRICE, 21703: _TELL, 21704: _TELL,
    21705: _TELL, 21706: Meaning(Act.TELL, Reject.REJ_MIN_SIZE), 21707: _TELL, 21710: _TELL,
    21711: _TELL, 21713: _TELL, 21714: _TELL, 21727: _TELL, 21729: _TELL,
    # the order of that id may be alive: its own state decides
    21728: Meaning(Act.LOOK, Reject.REJ_DUPLICATE),
    21732: _TELL, 21738: _TELL, 21740: _TELL,
    21733: _PRICE, 21734: _PRICE, 21735: _PRICE,
    **dict.fromkeys((21506, 23000, 23001, 23002, 23003, 23004, 30009, 30010), _SLOW),
    29404: UNKNOWN, 29500: UNKNOWN, 29501: UNKNOWN,
}  # fmt: skip


def meaning(code: int) -> Meaning:
    """Return what a code of the venue means."""
    return MEANINGS.get(code, UNKNOWN)


def meaning_of_status(status: int, code: int) -> Meaning:
    """Return what an HTTP answer that is not 200 means for what was asked.

    429 is the API's limit and 405 the firewall's: both before anything was looked at. Any other
    status counts by the venue's own code in the body, and without one says nothing.
    """
    if status in (429, 405):
        return _SLOW
    if status in (400, 401, 403) and code:
        return meaning(code)
    return UNKNOWN


# how an order ended, by the venue's word for it
ENDS: dict[str, int] = {
    "canceled": Reject.REJ_NONE,
    "canceled-post-only": Reject.REJ_POST_ONLY,
    "canceled-reduce-only": Reject.REJ_OTHER,
    "canceled-position-not-allowed": Reject.REJ_OTHER,
    "canceled-margin-not-allowed": Reject.REJ_MARGIN,
    "canceled-too-much-slippage": Reject.REJ_PRICE,
    "canceled-not-enough-liquidity": Reject.REJ_OTHER,
    "canceled-self-trade": Reject.REJ_SELF_TRADE,
    "canceled-expired": Reject.REJ_NONE,
    "canceled-oco": Reject.REJ_OTHER,
    "canceled-child": Reject.REJ_OTHER,
    "canceled-liquidation": Reject.REJ_OTHER,
    "canceled-invalid-balance": Reject.REJ_MARGIN,
}
LIVE = ("in-progress", "pending", "open")


def end_of(status: str) -> int | None:
    """Return the reason (enum bog_reject) of a status that ends an order, None of any other.

    A word that begins with "canceled" and is not known ends it, too; "filled" ends it without one.
    """
    if status == "filled":
        return int(Reject.REJ_NONE)
    if status.startswith("canceled"):
        return int(ENDS.get(status, Reject.REJ_OTHER))
    return None
