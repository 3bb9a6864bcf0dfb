"""A local venue that plays recordings as if they were now, and bots that bring their own feed of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.rig import frames
from tests.rig.frames import Event, packed
from tests.rig.live import Bot
from tests.rig.stage import Stage
from tests.rig.venue import Venue

METADATA_S = 0.2
QUICK = {
    "BOG_FEED__LIGHTER__METADATA_INTERVAL_SEC": str(METADATA_S),
    "BOG_FEED__LIGHTER__BACKOFF_FIRST_MS": "50",
    # longer than a loaded machine may keep this venue's own thread from answering
    "BOG_FEED__LIGHTER__SILENCE_SEC": "10",
}


class PresentVenue(Venue):
    """A venue whose books carry the time at which they are sent: a bot quotes on no older ones."""

    async def _step(self, stage: Stage, event: Event) -> None:
        if event.family == "order_book":
            now = time.time_ns()
            stamp = {"last_updated_at": now // 1000}
            book = {"order_book": event.frame["order_book"] | stamp}
            frame = event.frame | stamp | book | {"timestamp": now // 1_000_000}
            event = Event(event.at_ns, event.family, frame, packed(frame))
        await super()._step(stage, event)


def local(
    shared: Callable[[str], Path], *names: str, faults: list[dict[str, Any]] | None = None,
    rate: float | None = 200.0,
) -> Venue:  # fmt: skip
    """Return a venue of these recordings that plays so many updates a second."""
    tapes = [frames.DATA[name](shared) for name in names or ["lighter-btc-nonces"]]
    return PresentVenue(tapes, shared, faults, rate=rate)


@contextmanager
def bot(where: Path, venue: Venue, *arguments: object, **environ: str) -> Iterator[Bot]:
    """Run a bot that brings its own feed of a local venue."""
    urls = {
        "BOG_FEED__LIGHTER__URL": venue.url, "BOG_FEED__LIGHTER__REST_URL": venue.rest,
    }  # fmt: skip
    started = Bot(where, "--feed", "lighter", *arguments, **QUICK | urls | environ)
    try:
        yield started
    finally:
        started.kill()
