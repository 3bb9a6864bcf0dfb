"""The account's cash: the collateral that the venue says beside what its fills, fees and funding make.

Pure. The venue may take a position's average price in whole steps, so that what it counts as earned is
off by half a step of each lot that was filled, and by a millionth for each fill.
"""

from __future__ import annotations

from typing import NamedTuple


class Earned(NamedTuple):
    """What the engines have booked so far, in micro-USDC, and how far the venue's sums may be off."""

    micro: int  # realized, less fees, plus funding
    slack: int  # grows with every fill


class Cash:
    """Finds what moved the collateral that no fill, fee or funding explains."""

    def __init__(self) -> None:
        self.moved = 0  # in all, micro-USDC: transfers, or what others traded
        self.apart: int | None = None  # of collateral and what was earned, as explained so far
        self.slack = 0  # when that was so
        # what the last look found besides, and its slack
        self.before: tuple[int, int] | None = None

    def look(self, collateral: int, earned: Earned) -> int:
        """Return what has moved, once two looks in a row agree; else 0. So do the first two.

        A fill may be in one of the numbers and not yet in the other.
        """
        apart = collateral - earned.micro
        if self.apart is not None and abs(apart - self.apart) <= earned.slack - self.slack:
            self.before = None
            return 0
        before, self.before = self.before, (apart, earned.slack)
        if before is None or abs(apart - before[0]) > earned.slack - before[1]:
            return 0
        moved = 0 if self.apart is None else apart - self.apart
        self.before = None
        self.apart, self.slack = apart, earned.slack
        self.moved += moved
        return moved
