/*
 * The nouns of bog: units, enums and the structs that cross rooms, rings and files.
 *
 * Owner: nobody writes code here; each struct names the one room that writes it.
 * Invariant: every struct that lives in shared memory or in a file has a static assert on its size.
 * types.pxd says the same things to Cython; tests/house/test_layout.py compares the two.
 */
#ifndef BOG_TYPES_H
#define BOG_TYPES_H

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#define BOG_CACHE_LINE 64
#define BOG_DEPTH 10           /* levels a side that the strategy sees */
#define BOG_PX_MAX (1LL << 40) /* a price at or above this many ticks is garbage */
#define BOG_QTY_BITS 48
#define BOG_QTY_MAX (1LL << BOG_QTY_BITS) /* the venue's own bound on a base amount, lots */
#define BOG_NEVER INT64_MAX               /* a time that does not come */
#define BOG_MICRO_SPREADS 4 /* rows of the microprice table: spreads of 1, 2, 3, 4 or more ticks */
#define BOG_MICRO_BUCKETS 5 /* its columns: imbalance from 0 to 1 */

typedef int64_t bog_px_t;     /* ticks */
typedef int64_t bog_qty_t;    /* lots */
typedef int64_t bog_quanta_t; /* 1 tick x 1 lot; 1 micro-USDC on a Lighter perpetual */
typedef int64_t bog_half_t;   /* half quanta: values at a mid, which may lie between two ticks */
typedef int64_t bog_ns_t;     /* nanoseconds */
typedef int32_t bog_ppm_t;    /* millionths of the notional; 1 bp = 100 ppm */

/* The side an order rests on; of a trade print, the aggressor: BID bought, ASK sold. */
enum bog_side { BOG_BID = 0, BOG_ASK = 1 };

/* What one row of the long ring, of a tape or of format 1 says. Values are the letters of the file. */
enum bog_row_kind {
    BOG_ROW_RESET = 'R',  /* forget the book; snapshot rows follow */
    BOG_ROW_LEVEL = 'L',  /* set a level to an absolute size; 0 deletes it */
    BOG_ROW_TRADE = 'T',  /* print of a trade; side is the aggressor */
    BOG_ROW_TOUCH = 'B',  /* best bid or ask from a separate stream; never part of the book */
    BOG_ROW_STATS = 'S',  /* market statistics: mark, index, funding */
    BOG_ROW_STATUS = 'X', /* status of the feed: enum bog_status in px */
};

/* What one record of the short ring is. */
enum bog_record_kind { BOG_REC_BOOK = 1, BOG_REC_TRADE = 2, BOG_REC_STATS = 3, BOG_REC_STATUS = 4 };

/* Flags of rows and records. */
enum bog_flag {
    BOG_F_SNAPSHOT = 1,    /* the message was a whole book */
    BOG_F_AFTER_GAP = 2,   /* messages are missing before this one */
    BOG_F_LIQUIDATION = 4, /* a print of the liquidation engine; its volume is real */
    BOG_F_OWN = 8,         /* a print in which our own account took part */
    BOG_F_PARTIAL =
        16, /* the book is not known to its end: deep levels were never seen or evicted */
};

/* Status of a feed, as a record. Unknown values read as DOWN. */
enum bog_status {
    BOG_STATUS_UP = 1,     /* the source delivers */
    BOG_STATUS_DOWN = 2,   /* the source is lost; the book is not to be trusted */
    BOG_STATUS_GAP = 3,    /* messages were lost; a snapshot follows */
    BOG_STATUS_HALTED = 4, /* the venue has stopped the market */
    BOG_STATUS_END = 5,    /* the recording is over */
};

/*
 * One change, in one cache line: the unit of the long ring and of a tape.
 *
 * Owner: feed. Stats rows: px = mark, qty = index (ticks), id = funding rate (ppm per hour).
 * Status rows: px = enum bog_status.
 */
typedef struct bog_row {
    alignas(BOG_CACHE_LINE) uint64_t gen; /* 2 * (row number + 1) when whole, odd while written */
    bog_ns_t recv_ns; /* when we received it: the replay clock, never decreasing */
    bog_ns_t exch_ns; /* the venue's own time, Unix; 0 when unknown */
    bog_px_t px;      /* ticks */
    bog_qty_t qty;    /* lots: absolute size of a level, traded size of a print */
    int64_t id;       /* update id of the message, or trade id */
    uint64_t seq;     /* the market record that this row belongs to */
    uint8_t kind;     /* enum bog_row_kind */
    uint8_t side;     /* enum bog_side */
    uint8_t eom;      /* 1 on the last row of a message: read the book only then */
    uint8_t flags;    /* enum bog_flag */
    uint32_t market;  /* raw market id */
} bog_row_t;

/*
 * One market record of the short ring: the book after a message, or a print, stats or status.
 *
 * Owner: feed. The first line is all that an unchanged touch needs. Behind it, four aligned vectors
 * of levels 1-8 (best first) and one line with levels 9 and 10. A missing level is 0 x 0.
 * Invariant: level 1 of the vectors equals the touch in the first line.
 */
typedef struct bog_record {
    alignas(BOG_CACHE_LINE) uint64_t gen; /* 2 * seq when whole, odd while written */
    union {
        struct { /* BOG_REC_BOOK */
            bog_px_t bid;
            bog_qty_t bid_qty;
            bog_px_t ask;
            bog_qty_t ask_qty;
        };
        struct { /* BOG_REC_TRADE */
            bog_px_t trade_px;
            bog_qty_t trade_qty;
            int64_t trade_id;
            int64_t trade_side; /* enum bog_side: the aggressor */
        };
        struct { /* BOG_REC_STATS */
            bog_px_t mark_px;
            bog_px_t index_px;
            int64_t funding_ppm; /* per hour; positive: longs pay */
            int64_t stats_pad;
        };
        struct {            /* BOG_REC_STATUS */
            int64_t status; /* enum bog_status */
            int64_t status_pad[3];
        };
    };
    bog_ns_t recv_ns;
    bog_ns_t exch_ns;
    uint8_t kind;   /* enum bog_record_kind */
    uint8_t flags;  /* enum bog_flag */
    uint8_t n_bids; /* levels present, 0..10 */
    uint8_t n_asks;
    uint32_t pub_delta_ns; /* publish time - receive time, saturating */
    bog_px_t bids_px[8];
    bog_qty_t bids_qty[8];
    bog_px_t asks_px[8];
    bog_qty_t asks_qty[8];
    bog_px_t bids_px_tail[2];
    bog_qty_t bids_qty_tail[2];
    bog_px_t asks_px_tail[2];
    bog_qty_t asks_qty_tail[2];
} bog_record_t;

/* Life of an order. The last four are absorbing. Zero is a free slot. */
enum bog_order_state {
    BOG_ORDER_FREE = 0,
    BOG_ORDER_CREATED = 1,     /* intent journaled, not yet handed to the executor */
    BOG_ORDER_IN_FLIGHT = 2,   /* sent, no word yet */
    BOG_ORDER_RESTING = 3,     /* the venue took it */
    BOG_ORDER_PARTIAL = 4,     /* resting with filled > 0 */
    BOG_ORDER_CANCEL_SENT = 5, /* live until the cancel is proven */
    BOG_ORDER_AMEND_SENT = 6,  /* live at the old or the new price */
    BOG_ORDER_UNKNOWN = 7,     /* outcome not learned: live until proven dead */
    BOG_ORDER_FILLED = 8,
    BOG_ORDER_CANCELED = 9,
    BOG_ORDER_REJECTED = 10,
    BOG_ORDER_EXPIRED = 11,
};

/*
 * One order of ours, in two cache lines.
 *
 * Owner: orders is the only writer; risk, strategy, paper reports and the journal read.
 * Invariant: 0 <= filled <= qty.
 */
typedef struct bog_order {
    alignas(BOG_CACHE_LINE) uint64_t id; /* our client order index, never reused */
    uint64_t venue_id;                   /* the venue's order index; 0 until the ack */
    bog_px_t px;                         /* limit price, ticks */
    bog_qty_t qty;                       /* total size as sent, filled part included, lots */
    bog_qty_t filled;                    /* filled so far, lots */
    bog_ns_t sent_ns;                    /* event time of the command that created it */
    bog_ns_t acked_ns;                   /* event time of the ack; 0 before */
    uint8_t side;                        /* enum bog_side */
    uint8_t state;                       /* enum bog_order_state */
    uint8_t before;                      /* state to return to when a cancel or amend is refused */
    uint8_t reason;                      /* enum bog_reject of the last refusal */
    uint32_t market;
    bog_px_t amend_px;   /* wanted by an amend in flight; 0 when none */
    bog_qty_t amend_qty; /* total size wanted by an amend in flight */
    bog_ns_t expiry_ns;  /* engine time at which the venue lets it go; BOG_NEVER when it does not */
    bog_ns_t touched_ns; /* event time of the last command or report */
    uint64_t last_trade; /* venue id of the last fill applied */
    bog_ns_t amend_ns;   /* event time of the last amend sent; 0 before */
    bog_qty_t late_qty;  /* largest total size that a fill still under way may belong to */
    bog_ns_t late_ns;    /* until then such a fill counts in the worst case; 0 when none can come */
} bog_order_t;

enum bog_command_kind {
    BOG_CMD_PLACE = 1,
    BOG_CMD_AMEND = 2, /* px and qty (new total size) replace the old ones; always re-queues */
    BOG_CMD_CANCEL = 3,
    BOG_CMD_CANCEL_ALL = 4,
};

enum bog_tif { BOG_TIF_POST_ONLY = 1, BOG_TIF_GTT = 2, BOG_TIF_IOC = 3 };

/* What the engine tells an executor. Owner: engine. */
typedef struct bog_command {
    alignas(BOG_CACHE_LINE) uint64_t seq; /* counts commands of this run, from 1 */
    uint64_t order_id;
    bog_px_t px;
    bog_qty_t qty;
    bog_ns_t tick_ns;   /* event time of the turn that decided it */
    bog_ns_t expiry_ns; /* BOG_NEVER when the order does not expire */
    uint8_t kind;       /* enum bog_command_kind */
    uint8_t side;
    uint8_t tif; /* enum bog_tif */
    uint8_t reduce_only;
    uint32_t market;
    uint64_t pad;
} bog_command_t;

enum bog_report_kind {
    BOG_REP_ACK = 1,
    BOG_REP_REJECT = 2,
    BOG_REP_FILL = 3,
    BOG_REP_CANCELED = 4,
    BOG_REP_CANCEL_REJECT = 5,
    BOG_REP_AMENDED = 6, /* px, qty: what stands now */
    BOG_REP_AMEND_REJECT = 7,
    BOG_REP_EXPIRED = 8,
    BOG_REP_UNKNOWN = 9,  /* outcome lost: live until proven dead */
    BOG_REP_FUNDING = 10, /* fee = what we paid, negative when we received; venue_id = Unix second
                          of the venue's payment, told once; 0 on paper */
};

/* How a fill came about. The first three are the paper venue's, market-making.md section 5. */
enum bog_fill_reason {
    BOG_FILL_QUEUE = 1,   /* volume traded at our price after the queue before us was gone */
    BOG_FILL_THROUGH = 2, /* volume traded at a worse price than ours */
    BOG_FILL_CROSS = 3,   /* the opposite side of the book reached us */
    BOG_FILL_TAKER = 4,   /* we took */
    BOG_FILL_MATCH = 5,   /* matched in a true queue: built-in market or venue */
};

/* Why a venue refused or dropped an order. */
enum bog_reject {
    BOG_REJ_NONE = 0,
    BOG_REJ_POST_ONLY = 1, /* would have crossed */
    BOG_REJ_TICK = 2,
    BOG_REJ_LOT = 3,
    BOG_REJ_MIN_SIZE = 4,
    BOG_REJ_MARGIN = 5,
    BOG_REJ_RATE = 6,
    BOG_REJ_QUOTA = 7,
    BOG_REJ_DUPLICATE = 8, /* client order index in use */
    BOG_REJ_NOT_FOUND = 9, /* nothing to cancel or amend */
    BOG_REJ_OPEN_ORDERS = 10,
    BOG_REJ_HALTED = 11, /* the market is halted */
    BOG_REJ_SELF_TRADE = 12,
    BOG_REJ_PRICE = 13,   /* price outside the venue's band */
    BOG_REJ_RESTART = 14, /* a paper order that did not survive a restart */
    BOG_REJ_OTHER = 15,
};

/* What an executor tells us. Owner: the executor (paper, market, gateway). */
typedef struct bog_report {
    alignas(BOG_CACHE_LINE) uint64_t order_id;
    uint64_t venue_id; /* ack: venue order index; fill: trade id */
    bog_px_t px;       /* fill: price; amended: new price; else limit price */
    bog_qty_t qty;     /* fill: size; amended: new total; else 0 */
    bog_quanta_t fee;  /* fill: fee, negative for a rebate; funding: what we paid */
    bog_ns_t time_ns;  /* when we learn of it: the engine sees it not before */
    bog_ns_t venue_ns; /* when it happened at the venue, on the engine's clock */
    uint8_t kind;      /* enum bog_report_kind */
    uint8_t side;
    uint8_t reason; /* fill: enum bog_fill_reason; else enum bog_reject */
    uint8_t flags;
    uint32_t market;
} bog_report_t;

/* Why the gate refuses. Member names are the counter, the metric label and the log field. */
enum bog_verdict {
    BOG_ALLOW = 0,
    BOG_DENY_KILLED = 1, /* run level DRAIN or KILLED */
    BOG_DENY_PAUSED = 2,
    BOG_DENY_HALTED = 3, /* a halt with an id stands */
    BOG_DENY_STALE = 4,
    BOG_DENY_BOOK = 5, /* crossed, locked or one-sided where it matters */
    BOG_DENY_PX = 6,   /* price not positive */
    BOG_DENY_TICK = 7,
    BOG_DENY_LOT = 8,
    BOG_DENY_BAND = 9,    /* outside the absolute band */
    BOG_DENY_COLLAR = 10, /* too far from the mid */
    BOG_DENY_MIN_SIZE = 11,
    BOG_DENY_MAX_SIZE = 12,
    BOG_DENY_NOTIONAL = 13,
    BOG_DENY_POSITION = 14, /* worst-case position past the limit */
    BOG_DENY_OPEN_ORDERS = 15,
    BOG_DENY_SELF_MATCH = 16, /* would meet an order of ours */
    BOG_DENY_CROSS = 17,      /* post-only price would cross the known book */
    BOG_DENY_RATE = 18,       /* token bucket, or the reserve for cancels */
    BOG_DENY_DAILY_LOSS = 19,
    BOG_DENY_DRAWDOWN = 20,
    BOG_DENY_CONNECTION = 21,
    BOG_DENY_BALANCE = 22,
    BOG_DENY_OVERFLOW = 23,  /* price x size does not fit */
    BOG_DENY_JOURNAL = 24,   /* the journal cannot take the intent */
    BOG_DENY_WARMING = 25,   /* the feed is back, but not yet for long enough */
    BOG_DENY_DELAYED = 26,   /* frozen or late: the venue's own times are too old, or impossible */
    BOG_DENY_BREAKER = 27,   /* this tick violates the market breaker */
    BOG_DENY_PORTFOLIO = 28, /* worst-case exposure over all markets past its limit */
    BOG_VERDICTS = 29,
};

/* Run level: a chain that signals only raise, except RUN <-> PAUSED. */
enum bog_level {
    BOG_LEVEL_RUN = 0,
    BOG_LEVEL_PAUSED = 1,
    BOG_LEVEL_DRAIN = 2,
    BOG_LEVEL_KILLED = 3
};

/* Why trading is halted until an operator clears it by id. */
enum bog_halt {
    BOG_HALT_NONE = 0,
    BOG_HALT_DAILY_LOSS = 1,
    BOG_HALT_DRAWDOWN = 2,
    BOG_HALT_MARKET = 3,     /* market breaker */
    BOG_HALT_ACCOUNTING = 4, /* an overfill or an identity that does not hold */
    BOG_HALT_JOURNAL = 5,
    BOG_HALT_VENUE = 6,      /* metadata changed, foreign fill, impossible report */
    BOG_HALT_KILLED = 7,     /* emergency stop, latched */
    BOG_HALT_EXECUTIONS = 8, /* too many fills in too short a time */
    BOG_HALT_REJECTS = 9,    /* too many refusals by the venue in too short a time */
    BOG_HALTS = 10,
};

/* What is wrong with a book. Owner: breaker. */
enum bog_violation {
    BOG_VIOLATION_NONE = 0,
    BOG_VIOLATION_SPREAD = 1, /* wider than breaker_spread_ppm of its mid */
    BOG_VIOLATION_MOVE = 2,   /* its mid is further than breaker_move_ppm from the reference */
    BOG_VIOLATION_PRICE = 3,  /* a price that no book can have */
};

/* The resilience breaker of a connection. Owner: connection. */
enum bog_connection_state {
    BOG_CONNECTION_CLOSED = 0,    /* orders may go */
    BOG_CONNECTION_OPEN = 1,      /* nothing goes, nothing is tried */
    BOG_CONNECTION_HALF_OPEN = 2, /* attempts are made, orders still wait */
    BOG_CONNECTION_LOST = 3,      /* the gateway is silent or not up: nothing goes */
};

/*
 * Limits in the core's units. Owner: run, before the first turn; then the step, which only tightens.
 */
typedef struct bog_limits {
    bog_qty_t max_long;        /* worst-case long, lots */
    bog_qty_t max_short;       /* worst-case short, lots, positive */
    bog_qty_t min_order;       /* lots */
    bog_qty_t max_order;       /* lots */
    bog_quanta_t min_notional; /* the venue's smallest order, quanta */
    bog_quanta_t max_notional; /* largest single order, quanta */
    bog_quanta_t max_exposure; /* worst-case position x price, quanta */
    bog_px_t min_px;           /* absolute band */
    bog_px_t max_px;
    bog_px_t px_step;               /* ticks between valid prices, normally 1 */
    bog_qty_t qty_step;             /* lots between valid sizes, normally 1 */
    bog_ppm_t collar_ppm;           /* largest distance from the mid */
    bog_ppm_t drawdown_ppm;         /* of the day's peak profit */
    bog_quanta_t drawdown_min_peak; /* the drawdown rule sleeps below this peak */
    bog_quanta_t max_daily_loss;    /* exactly this loss is allowed, one quantum more is not */
    bog_quanta_t balance;           /* collateral, quanta; leverage bounds the exposure */
    int64_t max_leverage_ppm;       /* worst-case exposure / balance, ppm; 0 = not checked */
    int64_t max_open_orders;
    int64_t rate_per_min; /* tokens a minute, refilled evenly */
    int64_t rate_burst;   /* tokens */
    int64_t rate_reserve; /* tokens that only cancels may take */
    bog_ns_t stale_after_ns;
    bog_ns_t unix_offset_ns;      /* Unix time - engine time: for the day and the venue's times */
    bog_ppm_t breaker_spread_ppm; /* a wider book is a violation */
    bog_ppm_t breaker_move_ppm;   /* so is a larger move of the mid in one tick */
    int64_t breaker_violations;   /* this many in a row halt */
    int64_t max_fills;            /* one fill more than this within fills_window_ns halts */
    bog_ns_t fills_window_ns;
    int64_t max_rejects; /* one refusal by the venue more within rejects_window_ns halts */
    bog_ns_t rejects_window_ns;
    bog_ns_t max_feed_delay_ns; /* largest distance of the venue's time of a book from ours */
    int64_t warm_up_books;      /* good books before quoting, after any doubt of the feed */
    bog_ns_t warm_up_ns;        /* and time since the first of them */
} bog_limits_t;

/* The limits that an operator may tighten, by their names in [risk]. In the units of bog_limits_t. */
enum bog_limit {
    BOG_LIMIT_NONE = 0,
    BOG_LIMIT_MAX_POSITION = 1,
    BOG_LIMIT_MAX_SHORT = 2,
    BOG_LIMIT_MAX_ORDER_SIZE = 3,
    BOG_LIMIT_MAX_NOTIONAL = 4,
    BOG_LIMIT_MAX_EXPOSURE_QUOTE = 5,
    BOG_LIMIT_MAX_DAILY_LOSS = 6,
    BOG_LIMIT_MAX_DRAWDOWN = 7,
    BOG_LIMIT_MAX_OPEN_ORDERS = 8,
    BOG_LIMIT_RATE_LIMIT_ORDERS_PER_SEC = 9, /* in requests a minute */
    BOG_LIMIT_COLLAR = 10,
    BOG_LIMITS = 11,
};

/* What an operator asks of one market, beside the level. */
enum bog_asked {
    BOG_ASKED_NONE = 0,
    BOG_ASKED_CLEAR_HALT = 1, /* id = halt */
    BOG_ASKED_LIMIT = 2,      /* id = enum bog_limit, value = its new value */
    BOG_ASKED_CANCEL_ALL = 3, /* the level does it: this is who asked */
    BOG_ASKED_FLATTEN = 4,    /* at PAUSED: bring the position to zero */
    BOG_ASKED_HOLD = 5,       /* flatten no more */
    BOG_ASKED_BUSY = 6,       /* the request is being written or taken */
};

typedef struct bog_ask {
    uint64_t kind; /* enum bog_asked */
    uint64_t id;
    int64_t value;
    uint64_t uid; /* user who asks, as the kernel knows it */
} bog_ask_t;

/* Why flattening is over. */
enum bog_flattened {
    BOG_FLATTENED_FLAT = 1,   /* nothing is held */
    BOG_FLATTENED_DUST = 2,   /* what is held is less than the smallest order */
    BOG_FLATTENED_HELD = 3,   /* an operator asked for something else */
    BOG_FLATTENED_HALTED = 4, /* a halt stands, under which nothing is quoted */
};

/* What an operator asked for that sets the usual turn aside, one bit each. */
enum bog_aside {
    BOG_ASIDE_JUDGE = 1,   /* what rests was allowed by looser limits */
    BOG_ASIDE_FLATTEN = 2, /* an operator wants to be flat; first the book must be empty */
    BOG_ASIDE_REDUCE = 4,  /* it is: quotes only reduce */
};

/* Which quote verb a strategy uses. */
enum bog_strategy_kind { BOG_STRATEGY_SIMPLE_SPREAD = 0, BOG_STRATEGY_INVENTORY = 1 };

/* Where the numbers of the inventory strategy come from (market-making.md section 4). */
enum bog_model_kind {
    BOG_MODEL_AS_INFINITE = 0, /* Avellaneda-Stoikov without an end */
    BOG_MODEL_AS_TAU = 1,      /* Avellaneda-Stoikov, always tau before its end */
    BOG_MODEL_GLFT = 2,        /* Gueant-Lehalle-Fernandez-Tapia, closed form */
    BOG_MODEL_GRID = 3,        /* the same, on prices that are multiples of the half spread */
};

/* How volatility is estimated (market-making.md section 3). */
enum bog_volatility_kind {
    BOG_VOLATILITY_EWMA = 0,
    BOG_VOLATILITY_REALIZED = 1,
    BOG_VOLATILITY_PARKINSON = 2,
};

/* Where a strategy is in its life. Owner: lifecycle; the table is in lifecycle.h. */
enum bog_strategy_state {
    BOG_STRATEGY_INIT = 0,     /* no whole book yet */
    BOG_STRATEGY_WARMING = 1,  /* waits for a book and enough samples of it */
    BOG_STRATEGY_ACTIVE = 2,   /* quotes what it wants */
    BOG_STRATEGY_PAUSED = 3,   /* an operator's pause, or a halt */
    BOG_STRATEGY_DRAINING = 4, /* going down: waits for proof that its orders are gone */
    BOG_STRATEGY_STOPPED = 5,  /* gone down; only a new run begins again */
    BOG_STRATEGY_STATES = 6,
};

/* The numbers of a model, as the journal and the page name them; values are Q16. */
enum bog_model_number {
    BOG_NUMBER_HALF = 0,     /* half spread, ticks */
    BOG_NUMBER_SKEW = 1,     /* shift of both quotes by the first order held, ticks */
    BOG_NUMBER_SIGMA = 2,    /* ticks per square root of a second */
    BOG_NUMBER_ARRIVALS = 3, /* A: aggressors a second and side that reach the mid */
    BOG_NUMBER_DECAY = 4,    /* k, per tick */
    BOG_NUMBER_FIT = 5,      /* enum bog_fit: where A and k come from */
    BOG_NUMBERS = 6,
};

/* Where A and k come from, or why the newest fit is not used. */
enum bog_fit {
    BOG_FIT_CONFIGURED = 0, /* as configured: none was tried */
    BOG_FIT_GOOD = 1,       /* the newest fit */
    BOG_FIT_FEW = 2,        /* refused: fewer than 30 points; the numbers before stay */
    BOG_FIT_RISING = 3,     /* refused: k <= 0; the numbers before stay */
};

/*
 * A strategy's own numbers and the rules every strategy shares. Owner: run; read-only after.
 */
typedef struct bog_strategy_params {
    bog_ppm_t half_ppm;       /* half spread, millionths of the mid */
    bog_ppm_t skew_ppm;       /* shift of the fair price at full inventory */
    bog_ppm_t maker_ppm;      /* maker fee of the tier */
    bog_ppm_t edge_ppm;       /* profit wanted above the fee */
    bog_ppm_t min_spread_ppm; /* no quotes while the market is tighter */
    bog_ppm_t max_spread_ppm; /* no quotes while the market is wider */
    bog_qty_t order_qty;      /* lots a side */
    bog_qty_t
        min_order; /* smallest order, lots: a smaller quote is none, a smaller rest is renewed */
    bog_qty_t max_pos; /* inventory at which skew is full and the growing side stops, lots */
    bog_px_t min_valid_px;
    bog_px_t max_valid_px;
    bog_qty_t min_touch_qty;   /* ignore a book whose touch is thinner */
    bog_px_t requote_ticks;    /* 0: max(2, half / 4) */
    int64_t size_off_ppm;      /* resize when the resting size is off by more (250000) */
    bog_ns_t min_interval_ns;  /* between two quote changes of a side; cancels are exempt */
    bog_ns_t order_life_ns;    /* expiry asked of the venue; 0 = none */
    bog_ns_t expiry_margin_ns; /* renew when the expiry is nearer than this (60 s) */
    int64_t own_in_book;       /* 1 when the published book contains our own orders */

    /* quota of the tier: requests that must be earned by trading */
    int64_t quota_start;       /* creates and amends that may be sent at first; 0: no quota */
    bog_quanta_t quota_quanta; /* traded volume that earns one more */
    int64_t quota_reserve;     /* of them only for orders that reduce the position */
    bog_ns_t quota_free_ns;    /* one create or amend in so long costs nothing; 0: each costs */

    int64_t kind;        /* enum bog_strategy_kind; what follows is for BOG_STRATEGY_INVENTORY */
    int64_t model;       /* enum bog_model_kind */
    int64_t grid_orders; /* of BOG_MODEL_GRID: orders a side, up to BOG_GRID_ORDERS; 0 is 1 */
    int64_t gamma_e9;    /* risk aversion per tick and order held, 1e-9 */
    bog_ns_t tau_ns;     /* time left, of BOG_MODEL_AS_TAU */
    int64_t arrivals_e6; /* A, 1e-6 per second and side */
    int64_t decay_e9;    /* k, 1e-9 per tick */
    int64_t calibrate;   /* 1: A and k are fitted to the prints of the last ten minutes */
    bog_ns_t model_ns;   /* between two computations of the model's numbers */
    int64_t volatility;  /* enum bog_volatility_kind */
    int64_t volatility_shift;   /* EWMA: a sample weighs 2^-shift, 4 to 12 */
    int64_t volatility_samples; /* window of the two others, samples of 100 ms, 1 to 1024 */
    int64_t warm_samples;       /* samples of 100 ms before the first quote */
    int64_t imbalance_q16;      /* shift of the fair price at an imbalance of 1, ticks in Q16 */
    int64_t micro_q8[BOG_MICRO_SPREADS * BOG_MICRO_BUCKETS]; /* microprice table, 1/256 tick */
} bog_strategy_params_t;

/* Queue models of the paper venue. Only RISK_AVERSE is a result; the others are labelled bounds. */
enum bog_queue_model {
    BOG_MODEL_RISK = 0,
    BOG_MODEL_LINEAR = 1,
    BOG_MODEL_SQUARE = 2,
    BOG_MODEL_FRONT = 3, /* always first in the queue */
};

/* How a venue treats us: account tier, latencies, rules. Owner: run; read-only after. */
typedef struct bog_venue_params {
    bog_ns_t net_ns;      /* one way to the venue */
    bog_ns_t response_ns; /* venue to us */
    bog_ns_t maker_ns;    /* venue delay of a post-only create */
    bog_ns_t cancel_ns;   /* venue delay of a cancel */
    bog_ns_t amend_ns;    /* venue delay of a modify */
    bog_ns_t taker_ns;    /* venue delay of a taking order */
    bog_ns_t window_ns;   /* W: how long a depth change and a print may be apart */
    bog_ppm_t maker_ppm;
    bog_ppm_t taker_ppm;
    bog_qty_t min_qty; /* lots */
    bog_quanta_t min_notional;
    int64_t requests_per_min; /* 0 = unlimited */
    int64_t max_open_orders;
    uint8_t model;              /* enum bog_queue_model */
    uint8_t through_full;       /* a print through our price fills the whole order */
    uint8_t shrink_keeps_place; /* a modify that only reduces keeps its place (not on Lighter) */
    uint8_t pad[5];
    uint64_t seed;
} bog_venue_params_t;

/*
 * What we hold and what it earned. Owner: position.
 *
 * Invariants, exact: cash = realized - cost - fees + funding;
 * equity at a mark of m half ticks, in half quanta: 2 * cash + pos * m.
 */
typedef struct bog_position {
    alignas(BOG_CACHE_LINE) bog_qty_t pos; /* signed, lots */
    bog_quanta_t cost;                     /* signed sum of px x qty of the open part */
    bog_quanta_t cash;                     /* since the account began, fees and funding included */
    bog_quanta_t realized;                 /* gross of fees */
    bog_quanta_t fees;                     /* paid; negative when rebates prevail */
    bog_quanta_t funding;                  /* received; negative when we paid */
    bog_quanta_t volume;                   /* sum of px x qty */
    uint64_t fills;
    int64_t day;         /* UTC day number; forward only */
    bog_half_t day_open; /* equity at the start of the day, half quanta */
    bog_half_t peak;     /* highest sampled profit of the day, half quanta */
    bog_px_t mark2;      /* last mark used, half ticks; 0 before the first */
    uint64_t trade;      /* low 32 bits of the newest trade id that was booked */
    uint64_t funded;     /* Unix second of the venue's newest funding payment that was booked */
    uint64_t pad[2];
} bog_position_t;

/*
 * One record of the journal, in one cache line.
 *
 * Owner: engine fills it, journal numbers and seals it. docs/formats.md says what each kind keeps
 * in which field. crc is CRC-32C over the first 60 bytes, seeded with the crc of the record before.
 */
typedef struct bog_journal_rec {
    alignas(BOG_CACHE_LINE) uint64_t seq; /* from 1, without holes, within a run */
    bog_ns_t time_ns;                     /* event time of the turn */
    uint64_t id;                          /* order id, halt id, ... */
    int64_t px;
    int64_t qty;
    int64_t val;  /* fee, equity, venue id, ... */
    uint8_t kind; /* enum bog_journal_kind */
    uint8_t side;
    uint8_t reason;
    uint8_t state;
    uint32_t market;
    uint32_t aux;
    uint32_t crc;
} bog_journal_rec_t;

enum bog_journal_kind {
    BOG_J_RUN =
        1, /* a file starts: id = its number, val = Unix offset of the engine clock, aux = mode */
    BOG_J_STATE = 2,  /* one word of carried state: reason = enum bog_state_word, val = its value */
    BOG_J_READY = 3,  /* the carried state is complete: what follows is this run's */
    BOG_J_PLACE = 4,  /* intent: id, px, qty, side; val = expiry */
    BOG_J_AMEND = 5,  /* intent: id, new px, new total qty, side */
    BOG_J_CANCEL = 6, /* intent: id, side */
    BOG_J_CANCEL_ALL = 7,
    BOG_J_ACK = 8,    /* val = venue order id */
    BOG_J_REJECT = 9, /* reason = enum bog_reject */
    BOG_J_FILL =
        10, /* px, qty, side, reason = enum bog_fill_reason, val = fee, aux = low bits of trade id */
    BOG_J_CANCELED = 11,
    BOG_J_CANCEL_REJECT = 12,
    BOG_J_AMENDED = 13,
    BOG_J_AMEND_REJECT = 14,
    BOG_J_EXPIRED = 15,
    BOG_J_UNKNOWN = 16,
    BOG_J_FUNDING = 17,    /* val = paid, quanta; px = mark; qty = position; aux = Unix second of
                           the venue's payment, 0 on paper */
    BOG_J_PEAK = 18,       /* val = new peak of the day's profit, half quanta; px = mark2 */
    BOG_J_DAY = 19,        /* id = UTC day; val = equity at its start, half quanta; px = mark2 */
    BOG_J_HALT = 20,       /* id = halt id, reason = enum bog_halt, val = evidence */
    BOG_J_CLEAR_HALT = 21, /* id = halt id */
    BOG_J_LEVEL = 22,      /* state = new enum bog_level, reason = old one */
    BOG_J_DENIED =
        23,           /* the gate's verdict on a side changed: reason = enum bog_verdict, px, qty */
    BOG_J_GAP = 24,   /* the feed lost messages: val = how many */
    BOG_J_STALE = 25, /* state = 1 stale, 0 fresh again; val = age, ns */
    BOG_J_EPOCH = 26, /* the feed's writer restarted: id = new epoch */
    BOG_J_END = 27,   /* the run ends: val = exit code */
    BOG_J_MODEL = 28, /* a number of the model changed: id = enum bog_model_number, val in Q16 */
    BOG_J_STRATEGY = 29,   /* state = new enum bog_strategy_state, reason = old one */
    BOG_J_BREAKER = 30,    /* a violation, or a good book after some: reason = enum bog_violation,
                           val = how many in a row, px = mid2, qty = mid2 last accepted */
    BOG_J_CONNECTION = 31, /* state = new enum bog_connection_state, reason = old one */
    BOG_J_ORDER = 32, /* an order alive when the file was turned over: as place; val = filled */
    BOG_J_LIMIT = 33, /* reason = enum bog_limit; val = in force now, qty = before, px = configured,
                         aux = user id; state = 1 in a file's head: carried over */
    BOG_J_ASKED =
        34, /* an operator's request: reason = enum bog_asked, qty = position, aux = user id */
    BOG_J_FLATTENED = 35, /* flattening is over: reason = enum bog_flattened, qty = position */
    BOG_J_ADOPT = 36, /* a person took the venue's word: id = |position|, side, val = its cost */
};

/* Words of carried state, one J_STATE record each, in this order. */
enum bog_state_word {
    BOG_W_POS = 0,
    BOG_W_COST = 1,
    BOG_W_CASH = 2,
    BOG_W_REALIZED = 3,
    BOG_W_FEES = 4,
    BOG_W_FUNDING = 5,
    BOG_W_VOLUME = 6,
    BOG_W_FILLS = 7,
    BOG_W_DAY = 8,
    BOG_W_DAY_OPEN = 9,
    BOG_W_PEAK = 10,
    BOG_W_MARK2 = 11,
    BOG_W_NEXT_ORDER_ID = 12,
    BOG_W_HALT = 13,
    BOG_W_HALT_ID = 14,
    BOG_W_LEVEL = 15,
    BOG_W_COMMANDS = 16,
    BOG_W_LAST_NS = 17,
    BOG_W_TRADE = 18,  /* low bits of the newest trade id of the venue that was booked */
    BOG_W_FUNDED = 19, /* Unix second of the venue's newest funding payment that was booked */
    BOG_STATE_WORDS = 20,
};

_Static_assert(sizeof(bog_row_t) == 64, "a row is one cache line");
_Static_assert(sizeof(bog_record_t) == 384, "a record is six cache lines");
_Static_assert(offsetof(bog_record_t, bids_px) == 64, "vectors start on the second line");
_Static_assert(sizeof(bog_order_t) == 128, "an order is two cache lines");
_Static_assert(sizeof(bog_command_t) == 64, "a command is one cache line");
_Static_assert(sizeof(bog_report_t) == 64, "a report is one cache line");
_Static_assert(sizeof(bog_position_t) == 128, "a position is two cache lines");
_Static_assert(sizeof(bog_journal_rec_t) == 64, "a journal record is one cache line");

#endif
