"""The table of a strategy's life, for tests."""

from enum import IntEnum

class Truth(IntEnum):
    TRUTH_BOOK = 0
    TRUTH_WARM = 1
    TRUTH_COLD = 2
    TRUTH_PAUSE = 3
    TRUTH_DRAIN = 4
    TRUTH_GONE = 5
    TRUTHS = 6

def next_state(state: int, truth: int) -> int: ...
