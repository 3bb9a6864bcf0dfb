"""Each fill once: which trade ids were seen, within a bounded memory.

A mark says below which every trade counts as seen. It rises only over the smallest ids remembered,
so that fills may come in any order within the last KEEP.
"""

from __future__ import annotations

import heapq

KEEP = 16_384


class Once:
    """Trade ids, each with the side that was ours: a trade with oneself is two fills."""

    def __init__(self, mark: int = 0, keep: int = KEEP) -> None:
        self.mark = mark  # every id up to here was seen
        self.keep = keep
        self.seen: set[tuple[int, int]] = set()
        self.order: list[tuple[int, int]] = []  # a heap
        self.top = mark  # highest id seen

    def is_new(self, id: int, side: int) -> bool:
        """Return whether a fill was not seen before, and remember it."""
        if id <= self.mark or (id, side) in self.seen:
            return False
        self.top = max(self.top, id)
        self.seen.add((id, side))
        heapq.heappush(self.order, (id, side))
        while len(self.order) > self.keep:
            least = heapq.heappop(self.order)
            self.seen.discard(least)
            # the other side of the same trade may still be in the heap; it is found there first
            self.mark = max(self.mark, least[0] - 1)
        return True
