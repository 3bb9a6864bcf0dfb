"""The nonces of one key: which number a payload gets, and what became of the payloads before.

The venue takes a payload when its nonce is the next one, or, with the skip attribute, any later
one, and each nonce once. So a number is bound to one payload for good: a retry is the same bytes.
It is bound anew only when the venue refused the payload by a code and its next nonce shows that the
number is unused. Where the fate of a payload is not known, the next one skips over it: once that
is taken, nothing below can be executed any more.

Pure: time is the venue's, in ms, and is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

WINDOW = 16  # payloads of a key that the venue has not answered
CREATES = 12  # of them that may be anything but cancels
TOP = (1 << 47) - 2  # highest nonce that may skip


class State(Enum):
    """What is known of a payload's nonce."""

    OPEN = "open"  # nothing: it may be executed yet
    REFUSED = "refused"  # refused by a code; that its number is unused is not shown yet
    OVERTAKEN = (
        "overtaken"  # executed long ago or never, its order says which: nothing more is kept of it
    )
    USED = "used"  # the venue consumed it
    DEAD = "dead"  # never executed, and never will be


@dataclass(slots=True)
class Payload:
    """One signed transaction and its number."""

    nonce: int
    hash: str
    text: bytes  # byte for byte what is sent, each time
    kind: int
    expired_ms: int  # the venue executes it not after
    skip: bool = False
    state: State = State.OPEN
    copies: int = 1  # how often the bytes left


class Nonces:
    """The numbers of one key. One writer: another process on the same key is found, not served."""

    def __init__(self, skew_ms: int) -> None:
        self.skew_ms = skew_ms  # by which our reading of the venue's clock may be off
        self.next = 0
        self.floor = 0  # below it, a number may have been bound without the venue refusing it
        self.known = False  # the venue has said once which is next
        self.synced = False  # nothing is bound while it is not
        self.skipping = False  # the next payload has to skip
        self.payloads: dict[str, Payload] = {}  # by hash: those not settled
        self.faults: list[str] = []  # what cannot be while we are the only writer
        self.gaps = 0  # payloads that had to skip
        self.resyncs = 0  # answers to what is next
        self.refusals = 0  # payloads refused for their nonce

    @property
    def waiting(self) -> int:
        """Return how many payloads the venue may still execute."""
        return sum(p.state is State.OPEN for p in self.payloads.values())

    def may_bind(self, cancels: bool) -> bool:
        """Return whether a payload may be bound now."""
        return self.synced and self.waiting < (WINDOW if cancels else CREATES)

    def bind(self, hash: str, text: bytes, kind: int, expired_ms: int) -> Payload:
        """Bind `next` to a payload that was signed with it, and with the skip attribute if `skipping`."""
        if not self.synced:
            raise ValueError("no nonce may be bound before the venue has said which is next")
        if self.waiting >= WINDOW:
            raise ValueError(f"{WINDOW} payloads are on their way already")
        payload = Payload(self.next, hash, text, kind, expired_ms, self.skipping)
        self.payloads[hash] = payload
        self.next += 1
        self.gaps += self.skipping
        self.skipping = False
        return payload

    # what is learned

    def accepted(self, hash: str) -> list[Payload]:
        """The venue took a payload: return those that are settled or overtaken by that, it included.

        A payload that did not skip was taken in turn: so were those before it, back to one that did.
        """
        mine = self.payloads.get(hash)
        if mine is None:
            return []
        skipped = max((p.nonce for p in self.payloads.values() if p.skip and p.nonce <= mine.nonce),
                      default=-1)  # fmt: skip
        below = [p for p in self.payloads.values() if p.nonce < mine.nonce]
        changed = []
        for p in below:
            if p.state is State.REFUSED:
                # used, perhaps by the refusal itself, and not executed: as in resync
                changed.append(self._settle(p, State.DEAD))
            elif p.state is not State.OPEN:
                continue
            elif p.nonce < skipped:
                changed.append(self._settle(p, State.OVERTAKEN))
            else:
                changed.append(self._settle(p, State.USED))
        changed.append(self._settle(mine, State.USED))
        return changed

    def again(self, hash: str) -> bytes:
        """Return the bytes of a payload that is open, to be sent once more."""
        payload = self.payloads[hash]
        payload.copies += 1
        return payload.text

    def refused(self, hash: str) -> bool:
        """The venue refused a payload by a code: return whether that proves it was not executed.

        It does not when the bytes left more than once: another copy may have been executed.
        """
        payload = self.payloads.get(hash)
        if payload is None or payload.state is not State.OPEN:
            return False
        self.synced = False
        if payload.copies > 1:
            return False
        payload.state = State.REFUSED
        return True

    def lost(self) -> None:
        """An answer did not come, or the connection is gone: nothing is bound before a resync."""
        self.synced = False

    def expire(self, now_ms: int) -> None:
        """Ask the venue anew once an open payload has expired: its answer proves it dead or used."""
        if any(
            p.state is State.OPEN and now_ms > p.expired_ms + self.skew_ms
            for p in self.payloads.values()
        ):
            self.synced = False

    def resync(self, venue_next: int, now_ms: int) -> list[Payload]:
        """Take the venue's next nonce, asked for after the last payload left; return what it settles.

        Everything below it is used. What was refused and stands at it or above is unused, and its
        number free; what is open there may come yet, until it expires, and is skipped.
        """
        changed = []
        self.resyncs += 1
        if self.known and venue_next > self.next:
            self._fault(
                f"the next nonce is {venue_next}, and ours {self.next}: somebody else signs"
            )
        # one of ours that skips may have been taken instead of what stands below it
        skips = [p.nonce for p in self.payloads.values() if p.skip and p.nonce < venue_next]
        skipped = max(skips, default=-1)
        for p in list(self.payloads.values()):
            if p.nonce < venue_next:
                if p.state is State.OPEN:
                    state = State.OVERTAKEN if p.nonce < skipped else State.USED
                    changed.append(self._settle(p, state))
                elif p.state is State.REFUSED:
                    changed.append(self._settle(p, State.DEAD))
            elif p.state is State.REFUSED:
                changed.append(self._settle(p, State.DEAD))
            elif p.state is State.OPEN:
                self.floor = max(self.floor, p.nonce + 1)
                if now_ms > p.expired_ms + self.skew_ms:
                    changed.append(self._settle(p, State.DEAD))
        self.known = True
        self.skipping = venue_next < self.floor
        self.next = max(venue_next, self.floor)
        self.synced = self.next <= TOP
        if not self.synced:
            self._fault(f"nonce {self.next} is past {TOP}: no payload can skip any more")
        return changed

    def _settle(self, payload: Payload, state: State) -> Payload:
        payload.state = state
        self.payloads.pop(payload.hash, None)
        return payload

    def _fault(self, text: str) -> None:
        self.faults.append(text)
