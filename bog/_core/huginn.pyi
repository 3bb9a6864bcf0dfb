from enum import IntEnum

class FeedState(IntEnum):
    HG_OPEN = 1
    HG_CLOSED = 2
    HG_REPLACED = 3

class FeedRead(IntEnum):
    HG_NONE = 0
    HG_ONE = 1
    HG_LAPPED = -1
    HG_EPOCH = -2
    HG_GONE = -3
    HG_BACKWARDS = -4
    HG_GARBAGE = -5

class Step(IntEnum):
    STEP_NEXT = 0
    STEP_SAME = 1
    STEP_GAP = 2
    STEP_BACK = 3
