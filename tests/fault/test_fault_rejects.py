"""FAULT-39: orders that the venue takes with a 200 and then refuses, for each of its reasons.

The answer to a create is a receipt and no more. What becomes of it comes later, as a frame of the order
that ends it or as a transaction that had no effect: both are ends for good, with their reason in the
journal, and the same refusal again and again stops the quoting until a person has looked.
"""

import time
from collections.abc import Callable

import numpy as np

from bog._core.types import Halt, Reject
from bog._core.types import JournalKind as K
from tests.rig.fault import Repeats
from tests.rig.live import of_kind, records, wait_for
from tests.rig.spoiled import Stage, pause_s

ENDS: dict[str | int, tuple[K, Reject]] = {
    # the order's own frame ends it
    "canceled": (K.J_CANCELED, Reject.REJ_NONE),
    "canceled-post-only": (K.J_REJECT, Reject.REJ_POST_ONLY),
    "canceled-reduce-only": (K.J_REJECT, Reject.REJ_OTHER),
    "canceled-position-not-allowed": (K.J_REJECT, Reject.REJ_OTHER),
    "canceled-margin-not-allowed": (K.J_REJECT, Reject.REJ_MARGIN),
    "canceled-too-much-slippage": (K.J_REJECT, Reject.REJ_PRICE),
    "canceled-not-enough-liquidity": (K.J_REJECT, Reject.REJ_OTHER),
    "canceled-self-trade": (K.J_REJECT, Reject.REJ_SELF_TRADE),
    "canceled-expired": (K.J_EXPIRED, Reject.REJ_NONE),
    "canceled-oco": (K.J_REJECT, Reject.REJ_OTHER),
    "canceled-child": (K.J_REJECT, Reject.REJ_OTHER),
    "canceled-liquidation": (K.J_REJECT, Reject.REJ_OTHER),
    "canceled-invalid-balance": (K.J_REJECT, Reject.REJ_MARGIN),
    # its transaction was run and had no effect, which only account_tx and tx say
    21602: (K.J_REJECT, Reject.REJ_HALTED),
    21701: (K.J_REJECT, Reject.REJ_LOT),
    21706: (K.J_REJECT, Reject.REJ_MIN_SIZE),
    21717: (K.J_REJECT, Reject.REJ_OPEN_ORDERS),
    21732: (K.J_REJECT, Reject.REJ_OTHER),
    21734: (K.J_REJECT, Reject.REJ_PRICE),
    21739: (K.J_REJECT, Reject.REJ_MARGIN),
}
MOST_REJECTS = 10
TRIES = 4  # more in a row were canceled by us: that is no chance any more
TOLD_S = 20.0


def refused(on: Stage, why: int | str, kind: K, reason: Reject) -> "np.void":
    """Refuse a create; return its end in the journal.

    One that we cancel meanwhile may end by either: then another one is refused.
    """
    begun = on.bot.page()["journal_seq"]
    name = "status" if isinstance(why, str) else "code"

    def told() -> "np.ndarray[tuple[int], np.dtype[np.void]]":
        rows = records(on.bot.folder)
        canceled = of_kind(rows, K.J_CANCEL)["id"]
        rows = of_kind(rows, kind)
        return rows[
            (rows["seq"] > begun) & (rows["reason"] == reason) & ~np.isin(rows["id"], canceled)
        ]

    for _ in range(TRIES):
        on.ask(do="refuse", where="app", type="create", count=1, **{name: why})
        wait_for(lambda: not any(each["left"] for each in on.ask(do="faults")["refuse"]))
        until = time.monotonic() + TOLD_S
        while not len(told()) and time.monotonic() < until:
            pause_s(0.02)
        if len(told()):
            return told()[0]
    raise AssertionError(f"{TRIES} creates were refused by {why}, and none ended by {reason.name}")


def test_fault_39_a_refusal_after_the_receipt_is_an_end_with_its_reason(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    on, ends = stage(), list(ENDS)
    ended: dict[int, int] = {}  # where in the journal, by order
    for n, _ in repeats(39, sample=len(ends), full=10 * len(ends)):
        why = ends[n % len(ends)]
        kind, reason = ENDS[why]
        row = refused(on, why, kind, reason)
        ended[int(row["id"])] = int(row["seq"])
        assert int(row["id"]) not in [order["id"] for order in on.bot.page()["orders"]]
        on.quoting()
        on.bounded()
        assert on.halted() == "", on.halted()
    on.settled()
    rows = records(on.bot.folder)
    for order, seq in ended.items():
        mine = rows[rows["id"] == order]
        assert len(of_kind(mine, K.J_PLACE)) == 1, f"order {order} was created again"
        after = of_kind(mine[mine["seq"] > seq], K.J_AMEND, K.J_CANCEL, K.J_ACK, K.J_FILL)
        assert not len(after), f"order {order} lived on"
    repeats.note(f"{len(ends)} reasons")


def test_fault_39_the_same_refusal_again_and_again_halts(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    worst = 0.0
    refusals = [why for why, (kind, _) in ENDS.items() if kind == K.J_REJECT]
    for _, rng in repeats(39, sample=3, full=len(refusals)):
        on = stage(breaker__max_rejects=MOST_REJECTS, breaker__rejects_window_sec=10)
        why = rng.choice(refusals)
        begun = on.bot.page()["journal_seq"]
        on.ask(do="refuse", where="app", type="create", count=-1,
               **{"status" if isinstance(why, str) else "code": why})  # fmt: skip
        wait_for(lambda on=on: on.bot.page()["halt"] == Halt.HALT_REJECTS)
        wait_for(lambda on=on: not on.god()["orders"])
        sent = on.sent()
        pause_s(1)
        assert on.sent() == sent, "nothing is placed before a person has looked"
        on.ask(do="clear")
        pause_s(1)
        assert on.sent() == sent, "a venue that is well again is no person"
        on.bot.signal(15)
        on.bot.ends(0)
        rows = records(on.bot.folder)
        rows = rows[rows["seq"] > begun]
        refused, (halt,) = of_kind(rows, K.J_REJECT), of_kind(rows, K.J_HALT)
        before = refused[refused["seq"] < halt["seq"]]
        assert len(before) == MOST_REJECTS + 1, "it halts at the first one too many"
        took = (int(halt["time_ns"]) - int(before[-1]["time_ns"])) / 1e9
        worst = max(worst, took)
        on.agree()
        on.close()
    assert worst <= 1.0
    repeats.note(f"halted within {worst * 1000:.1f} ms of the refusal that was too many")
