"""Enums of types.h: one place where the shell learns the core's numbers."""

from enum import IntEnum

class CommandKind(IntEnum):
    CMD_PLACE = 1
    CMD_AMEND = 2
    CMD_CANCEL = 3
    CMD_CANCEL_ALL = 4

class FillReason(IntEnum):
    FILL_QUEUE = 1
    FILL_THROUGH = 2
    FILL_CROSS = 3
    FILL_TAKER = 4
    FILL_MATCH = 5

class Flag(IntEnum):
    F_SNAPSHOT = 1
    F_AFTER_GAP = 2
    F_LIQUIDATION = 4
    F_OWN = 8
    F_PARTIAL = 16

class Halt(IntEnum):
    HALT_NONE = 0
    HALT_DAILY_LOSS = 1
    HALT_DRAWDOWN = 2
    HALT_MARKET = 3
    HALT_ACCOUNTING = 4
    HALT_JOURNAL = 5
    HALT_VENUE = 6
    HALT_KILLED = 7
    HALT_EXECUTIONS = 8
    HALT_REJECTS = 9
    HALTS = 10

class Violation(IntEnum):
    VIOLATION_NONE = 0
    VIOLATION_SPREAD = 1
    VIOLATION_MOVE = 2
    VIOLATION_PRICE = 3

class ConnectionState(IntEnum):
    CONNECTION_CLOSED = 0
    CONNECTION_OPEN = 1
    CONNECTION_HALF_OPEN = 2
    CONNECTION_LOST = 3

class JournalKind(IntEnum):
    J_RUN = 1
    J_STATE = 2
    J_READY = 3
    J_PLACE = 4
    J_AMEND = 5
    J_CANCEL = 6
    J_CANCEL_ALL = 7
    J_ACK = 8
    J_REJECT = 9
    J_FILL = 10
    J_CANCELED = 11
    J_CANCEL_REJECT = 12
    J_AMENDED = 13
    J_AMEND_REJECT = 14
    J_EXPIRED = 15
    J_UNKNOWN = 16
    J_FUNDING = 17
    J_PEAK = 18
    J_DAY = 19
    J_HALT = 20
    J_CLEAR_HALT = 21
    J_LEVEL = 22
    J_DENIED = 23
    J_GAP = 24
    J_STALE = 25
    J_EPOCH = 26
    J_END = 27
    J_MODEL = 28
    J_STRATEGY = 29
    J_BREAKER = 30
    J_CONNECTION = 31
    J_ORDER = 32
    J_LIMIT = 33
    J_ASKED = 34
    J_FLATTENED = 35
    J_ADOPT = 36

class Level(IntEnum):
    LEVEL_RUN = 0
    LEVEL_PAUSED = 1
    LEVEL_DRAIN = 2
    LEVEL_KILLED = 3

class OrderState(IntEnum):
    ORDER_FREE = 0
    ORDER_CREATED = 1
    ORDER_IN_FLIGHT = 2
    ORDER_RESTING = 3
    ORDER_PARTIAL = 4
    ORDER_CANCEL_SENT = 5
    ORDER_AMEND_SENT = 6
    ORDER_UNKNOWN = 7
    ORDER_FILLED = 8
    ORDER_CANCELED = 9
    ORDER_REJECTED = 10
    ORDER_EXPIRED = 11

class QueueModel(IntEnum):
    MODEL_RISK = 0
    MODEL_LINEAR = 1
    MODEL_SQUARE = 2
    MODEL_FRONT = 3

class RecordKind(IntEnum):
    REC_BOOK = 1
    REC_TRADE = 2
    REC_STATS = 3
    REC_STATUS = 4

class Reject(IntEnum):
    REJ_NONE = 0
    REJ_POST_ONLY = 1
    REJ_TICK = 2
    REJ_LOT = 3
    REJ_MIN_SIZE = 4
    REJ_MARGIN = 5
    REJ_RATE = 6
    REJ_QUOTA = 7
    REJ_DUPLICATE = 8
    REJ_NOT_FOUND = 9
    REJ_OPEN_ORDERS = 10
    REJ_HALTED = 11
    REJ_SELF_TRADE = 12
    REJ_PRICE = 13
    REJ_RESTART = 14
    REJ_OTHER = 15

class ReportKind(IntEnum):
    REP_ACK = 1
    REP_REJECT = 2
    REP_FILL = 3
    REP_CANCELED = 4
    REP_CANCEL_REJECT = 5
    REP_AMENDED = 6
    REP_AMEND_REJECT = 7
    REP_EXPIRED = 8
    REP_UNKNOWN = 9
    REP_FUNDING = 10

class RowKind(IntEnum):
    ROW_RESET = 82
    ROW_LEVEL = 76
    ROW_TRADE = 84
    ROW_TOUCH = 66
    ROW_STATS = 83
    ROW_STATUS = 88

class Side(IntEnum):
    BID = 0
    ASK = 1

class StateWord(IntEnum):
    W_POS = 0
    W_COST = 1
    W_CASH = 2
    W_REALIZED = 3
    W_FEES = 4
    W_FUNDING = 5
    W_VOLUME = 6
    W_FILLS = 7
    W_DAY = 8
    W_DAY_OPEN = 9
    W_PEAK = 10
    W_MARK2 = 11
    W_NEXT_ORDER_ID = 12
    W_HALT = 13
    W_HALT_ID = 14
    W_LEVEL = 15
    W_COMMANDS = 16
    W_LAST_NS = 17
    W_TRADE = 18
    W_FUNDED = 19
    STATE_WORDS = 20

class Status(IntEnum):
    STATUS_UP = 1
    STATUS_DOWN = 2
    STATUS_GAP = 3
    STATUS_HALTED = 4
    STATUS_END = 5

class Tif(IntEnum):
    TIF_POST_ONLY = 1
    TIF_GTT = 2
    TIF_IOC = 3

class Verdict(IntEnum):
    ALLOW = 0
    DENY_KILLED = 1
    DENY_PAUSED = 2
    DENY_HALTED = 3
    DENY_STALE = 4
    DENY_BOOK = 5
    DENY_PX = 6
    DENY_TICK = 7
    DENY_LOT = 8
    DENY_BAND = 9
    DENY_COLLAR = 10
    DENY_MIN_SIZE = 11
    DENY_MAX_SIZE = 12
    DENY_NOTIONAL = 13
    DENY_POSITION = 14
    DENY_OPEN_ORDERS = 15
    DENY_SELF_MATCH = 16
    DENY_CROSS = 17
    DENY_RATE = 18
    DENY_DAILY_LOSS = 19
    DENY_DRAWDOWN = 20
    DENY_CONNECTION = 21
    DENY_BALANCE = 22
    DENY_OVERFLOW = 23
    DENY_JOURNAL = 24
    DENY_WARMING = 25
    DENY_DELAYED = 26
    DENY_BREAKER = 27
    DENY_PORTFOLIO = 28
    VERDICTS = 29

class Limit(IntEnum):
    LIMIT_NONE = 0
    LIMIT_MAX_POSITION = 1
    LIMIT_MAX_SHORT = 2
    LIMIT_MAX_ORDER_SIZE = 3
    LIMIT_MAX_NOTIONAL = 4
    LIMIT_MAX_EXPOSURE_QUOTE = 5
    LIMIT_MAX_DAILY_LOSS = 6
    LIMIT_MAX_DRAWDOWN = 7
    LIMIT_MAX_OPEN_ORDERS = 8
    LIMIT_RATE_LIMIT_ORDERS_PER_SEC = 9
    LIMIT_COLLAR = 10
    LIMITS = 11

class Asked(IntEnum):
    ASKED_NONE = 0
    ASKED_CLEAR_HALT = 1
    ASKED_LIMIT = 2
    ASKED_CANCEL_ALL = 3
    ASKED_FLATTEN = 4
    ASKED_HOLD = 5
    ASKED_BUSY = 6

class Flattened(IntEnum):
    FLATTENED_FLAT = 1
    FLATTENED_DUST = 2
    FLATTENED_HELD = 3
    FLATTENED_HALTED = 4

class Aside(IntEnum):
    ASIDE_JUDGE = 1
    ASIDE_FLATTEN = 2
    ASIDE_REDUCE = 4

class StrategyKind(IntEnum):
    STRATEGY_SIMPLE_SPREAD = 0
    STRATEGY_INVENTORY = 1

class ModelKind(IntEnum):
    MODEL_AS_INFINITE = 0
    MODEL_AS_TAU = 1
    MODEL_GLFT = 2
    MODEL_GRID = 3

class VolatilityKind(IntEnum):
    VOLATILITY_EWMA = 0
    VOLATILITY_REALIZED = 1
    VOLATILITY_PARKINSON = 2

class StrategyState(IntEnum):
    STRATEGY_INIT = 0
    STRATEGY_WARMING = 1
    STRATEGY_ACTIVE = 2
    STRATEGY_PAUSED = 3
    STRATEGY_DRAINING = 4
    STRATEGY_STOPPED = 5
    STRATEGY_STATES = 6

class ModelNumber(IntEnum):
    NUMBER_HALF = 0
    NUMBER_SKEW = 1
    NUMBER_SIGMA = 2
    NUMBER_ARRIVALS = 3
    NUMBER_DECAY = 4
    NUMBER_FIT = 5
    NUMBERS = 6

class Fit(IntEnum):
    FIT_CONFIGURED = 0
    FIT_GOOD = 1
    FIT_FEW = 2
    FIT_RISING = 3
