from enum import IntEnum

class FeedState(IntEnum):
    HG_OPEN = 1
    HG_CLOSED = 2
    HG_REPLACED = 3

class FeedRead(IntEnum):
    READ_NOTHING = 0
    READ_ROW = 1
    READ_LAPPED = -1
    READ_EPOCH = -2
    READ_GONE = -3
    READ_BACKWARDS = -4
    READ_GARBAGE = -5

class Step(IntEnum):
    STEP_NEXT = 0
    STEP_SAME = 1
    STEP_GAP = 2
    STEP_BACK = 3

def sequence_step(last: int, seq: int) -> tuple[int, int]: ...
def layout() -> dict[str, tuple[int, int]]: ...
