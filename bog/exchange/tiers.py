"""What an account's tier changes: fees, speed bumps, limits. Numbers of September 2026."""

from __future__ import annotations

from dataclasses import dataclass, replace

MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier. Fees in millionths, delays in ns, rates per rolling minute."""

    name: str
    maker_ppm: int
    taker_ppm: int
    maker_ns: int  # a post-only create
    cancel_ns: int  # cancels and modifies
    taker_ns: int  # every create that may take
    sends: int  # transactions
    reads: int  # weight, or plain requests for Standard
    weighted: bool
    quota: bool  # creates, modifies and cancel-alls use volume quota
    open_orders: int  # in all
    open_market: int  # in one market

    def without_delays(self) -> Tier:
        """Return the same tier with no speed bumps, for tests that measure something else."""
        return replace(self, maker_ns=0, cancel_ns=0, taker_ns=0)


TIERS = {
    tier.name: tier
    for tier in (
        Tier("standard", 0, 0, 0, 300 * MS, 300 * MS, 60, 60, False, False, 250, 30),
        Tier("plus", 50, 50, 200 * MS, 200 * MS, 300 * MS, 4000, 24_000, True, False, 750, 250),
        Tier("premium", 40, 280, 0, 0, 140 * MS, 4000, 24_000, True, True, 1500, 1000),
    )
}
