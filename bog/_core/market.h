/*
 * The built-in market: everything it holds, in memory taken once at start.
 *
 * Owner: market.pyx. Prices of the model in 1/1024 tick, rates in millionths per second, sizes in
 * lots. Invariants: bids and asks never lock or cross inside the engine; a level's size is the sum
 * of its orders'; the tree counts the orders of every level; all live prices lie within one window.
 */
#ifndef BOG_MARKET_H
#define BOG_MARKET_H

#include "rng.h"
#include "types.h"

#define BOG_SIM_STEP_NS 1000000LL /* one step of the virtual clock */
#define BOG_SIM_BANDS 9
#define BOG_SIM_ORDERS 65536   /* pool of resting orders */
#define BOG_SIM_OWN 64         /* open orders of our account */
#define BOG_SIM_ROWS 131072    /* rows not yet read; a power of two */
#define BOG_SIM_TRADES 65536   /* fills not yet published; a power of two */
#define BOG_SIM_QUEUE 8192     /* commands under way, and reports not yet read */
#define BOG_SIM_REQUESTS 65536 /* requests of the last minute that the limit can count */
#define BOG_SIM_SCRIPT 1024    /* incidents of one script */
#define BOG_SIM_DIRTY 131072   /* levels that can change between two book frames */

/* The streams of random numbers. */
enum bog_sim_stream {
    BOG_RNG_FAIR = 0,
    BOG_RNG_LIMIT = 1,
    BOG_RNG_CANCEL = 2,
    BOG_RNG_TAKER = 3,
    BOG_RNG_FRAME = 4
};

/*
 * Queue reaction: events per second and side at the Binance touch by its size, 1-2, 2-3, 3-5, 5-8
 * and above 8 BTC: increases, cancels, trades, price improvements.
 */
static const int64_t bog_reaction[4][5] = {
    { 510, 520, 430, 620, 960 },
    { 350, 320, 300, 450, 950 },
    { 41, 33, 33, 33, 31 },
    { 15, 12, 13, 20, 35 },
};

/* A scripted incident; the class Market says what a, b and c mean for each. */
enum bog_incident_kind {
    BOG_INC_GAP = 1,
    BOG_INC_STALL = 2,
    BOG_INC_RECONNECT = 3,
    BOG_INC_DUPLICATE = 4,
    BOG_INC_MALFORMED = 5,
    BOG_INC_REFUSE = 6,
    BOG_INC_LOSE_ACK = 7,
    BOG_INC_LATE_CANCEL = 8,
    BOG_INC_ONE_SIDED = 9,
    BOG_INC_LOCKED = 10,
    BOG_INC_CROSSED = 11,
    BOG_INC_JUMP = 12,
    BOG_INC_SPREAD = 13,
    BOG_INC_BURST = 14,
    BOG_INC_CASCADE = 15,
    BOG_INC_HALT = 16,
    BOG_INC_CLOCK = 17,
};

typedef struct bog_incident {
    bog_ns_t time_ns;
    int64_t kind; /* enum bog_incident_kind */
    int64_t a, b;
} bog_incident_t;

/* The model's free numbers for one market, scaled from BTC. Read-only after start. */
typedef struct bog_sim_params {
    int64_t sigma[2];  /* fair price, 1/1024 tick per step: calm, active */
    int64_t jump_rate; /* calm; four times that when active */
    int64_t jump_size; /* 1/1024 tick */
    int64_t mu;        /* takers a side */
    int64_t kinf;      /* per tick of edge (of BTC) */
    int64_t hstale;
    int64_t drift;     /* ki, 2^-26 tick per step at full imbalance */
    int64_t kt;        /* Q16 */
    int64_t impact;    /* imp, 1/1024 tick for impact_qty */
    int64_t half;      /* h, 1/1024 tick */
    int64_t unit;      /* one BTC tick in this market, 1/1024 tick */
    int64_t to_active; /* of 2^32 per step */
    int64_t to_calm;
    int64_t add_rate[BOG_SIM_BANDS];
    int64_t cancel_rate[BOG_SIM_BANDS];
    int64_t size_median[BOG_SIM_BANDS]; /* lots x 65536 */
    int64_t size_sigma[BOG_SIM_BANDS];  /* of the binary logarithm, Q16 */
    int64_t first[BOG_SIM_BANDS];       /* orders a side at the start */
    bog_px_t band_end[BOG_SIM_BANDS];   /* last distance of the band, ticks */
    int64_t band_from[BOG_SIM_BANDS];   /* first distance, 1/1024 tick */
    int64_t band_log[BOG_SIM_BANDS];    /* binary logarithm of last / first, Q16 */
    int64_t taker_median, taker_sigma;
    bog_qty_t size_cap;
    bog_qty_t impact_qty;  /* 0.05 BTC */
    bog_qty_t queue_at[4]; /* touch sizes between the columns of the queue reaction */
    int64_t gap_sigma, gap_median, gap_cap; /* book frames, ns */
    int64_t feed_median, feed_sigma;        /* feed latency, ns */
    bog_px_t price_band;                    /* our orders farther from the fair price are refused */
    int64_t window;                         /* levels in the ring of prices, a power of two */
} bog_sim_params_t;

/* One resting order. */
typedef struct bog_sim_order {
    bog_px_t px;
    bog_qty_t qty;
    uint64_t id;
    int32_t next, prev; /* neighbors in the queue; next also chains the free ones */
    int32_t own;        /* slot of our own order, -1 for the model's */
    int32_t side;
} bog_sim_order_t;

/* One price: a queue in order of arrival, and what the feed last showed here. */
typedef struct bog_sim_level {
    bog_qty_t qty;
    bog_qty_t shown;
    int32_t head, tail;
    int32_t n;
    uint8_t side, shown_side, dirty, pad;
} bog_sim_level_t;

/* One order of our account that the venue holds. */
typedef struct bog_sim_own {
    uint64_t id;
    uint64_t venue_id;
    bog_px_t px;
    bog_qty_t qty, filled;
    bog_quanta_t quote; /* sum of px x qty of the fills */
    bog_ns_t expiry_ns;
    int32_t node; /* in the pool of orders, -1 while it takes */
    uint8_t side, tif, reduce_only, used;
} bog_sim_own_t;

/* A command on its way to the venue. */
typedef struct bog_sim_pending {
    bog_command_t command;
    bog_ns_t effect_ns;
} bog_sim_pending_t;

/* One fill that the feed has to publish. */
typedef struct bog_sim_trade {
    bog_ns_t time_ns, leave_ns;
    bog_px_t px;
    bog_qty_t qty;
    int64_t id;
    uint64_t maker_id, taker_id, maker_client, taker_client;
    uint64_t burst; /* fills of one taker share it */
    uint64_t nonce;
    uint8_t side, flags, ready, own; /* own: bit 0 our maker, bit 1 our taker */
} bog_sim_trade_t;

/* How an order of ours stands, as the venue's private frames say it. */
enum bog_sim_status {
    BOG_SIM_OPEN = 0,
    BOG_SIM_FILLED = 1,
    BOG_SIM_CANCELED = 2,
    BOG_SIM_POST_ONLY = 3,
    BOG_SIM_EXPIRED = 4,
    BOG_SIM_SELF_TRADE = 5,
    BOG_SIM_REDUCE_ONLY = 6,
};

/* Who sees a row: both faces, only readers of rows, only readers of frames. */
enum bog_sim_face { BOG_FACE_BOTH = 0, BOG_FACE_ROW = 1, BOG_FACE_FRAME = 2 };

/* One row on its way to the reader, with what only the JSON form of it says. */
typedef struct bog_sim_out {
    bog_row_t row;
    /*
     * book: nonce before, offset. trade: maker id, taker id, nonce, -, maker and taker client ids.
     * stats: rate paid, last price, time paid, -, bid, ask. order ('O'): venue id, filled, quote,
     * expiry, reduce only; status in flags. position ('P'): cost, realized, open orders.
     */
    int64_t a, b, c, d;
    bog_ns_t leave_ns;
    uint64_t e, f;
    uint8_t face;      /* enum bog_sim_face */
    uint8_t malformed; /* the frame is cut short on the wire */
    uint8_t own;       /* trade: bit 0 our maker, bit 1 our taker; order: time in force */
    uint8_t pad[5];
} bog_sim_out_t;

typedef struct bog_market {
    bog_sim_params_t par;
    bog_venue_params_t venue;
    bog_quanta_t balance; /* collateral; 0 = margin is not checked */
    int64_t margin_ppm;   /* initial margin fraction */
    uint32_t market_id;
    bog_rng_t rng[5];
    bog_ns_t start_ns, clock_ns;
    uint64_t steps;

    /* fair price and regime */
    int64_t x;          /* 1/1024 tick */
    int64_t drift_rest; /* 2^-16 of that */
    int active;
    int64_t index_x;          /* average of x over about 4 s, 2^-22 tick */
    int64_t premium;          /* average of mid - index, 1/1024 tick */
    bog_px_t mark, mark_last; /* mark price; price of the last print */
    int64_t funding_ppm, funding_paid_ppm;
    bog_ns_t next_stats_ns, next_funding_ns, last_funding_ns;

    /* the book */
    int64_t window; /* levels in the ring of prices, a power of two */
    bog_sim_level_t *level;
    int32_t *tree; /* orders per price, as a binary indexed tree */
    bog_sim_order_t *order;
    int32_t free_order;
    int64_t live; /* orders in the book */
    bog_px_t best[2];
    uint64_t next_order_id;
    int64_t next_trade_id;
    bog_px_t *dirty_px;
    bog_px_t *changed; /* scratch of one frame: prices a side, sorted */
    int64_t n_dirty;
    int stale_book;       /* rates must be counted anew */
    bog_px_t stale_px[2]; /* a bid above the first, an ask below the second is stale */

    /* flow */
    int64_t budget_add, budget_cancel, budget_take; /* exponential clocks, 1e-9 events */
    int64_t weight_add[2][BOG_SIM_BANDS + 1];       /* band 0 joins, last one improves */
    int64_t weight_cancel[2][BOG_SIM_BANDS + 1];    /* last one: stale */
    int64_t total_add, total_cancel;
    int64_t fast[2], slow[2];
    int64_t trade_mult[2]; /* Q16, takers that hit this side */
    uint64_t burst;

    /* our account */
    bog_sim_own_t own[BOG_SIM_OWN];
    int64_t n_own;
    bog_qty_t pos;
    bog_quanta_t cost; /* signed sum of px x qty of the open part, reduced in proportion */
    bog_quanta_t cash, fees, funding;
    uint64_t own_fills;
    bog_sim_pending_t *pending; /* by effect time, then by arrival */
    int64_t n_pending;
    bog_report_t *report; /* ring, by time */
    int64_t report_head, n_report;
    bog_ns_t *request; /* ring of request times */
    int64_t request_head, n_request;

    /* output */
    bog_sim_out_t *out; /* ring */
    int64_t out_head, n_out;
    bog_sim_trade_t *trade; /* ring */
    int64_t trade_head, n_trade;
    bog_ns_t next_frame_ns, last_recv_ns, last_trade_leave_ns;
    uint64_t nonce, shown_nonce;
    int64_t offset;
    bog_ns_t stall_until_ns, down_until_ns, resync_ns, halt_until_ns;
    bog_ns_t clock_step_ns;
    int64_t drop_frames, duplicate_frames, malformed_frames;
    int resync_flags;
    int64_t fake_frames, fake_cross;
    bog_px_t fake_px;

    /* incidents */
    bog_incident_t script[BOG_SIM_SCRIPT];
    int64_t n_script, next_incident;
    int64_t refuse_next, lose_next;
    bog_ns_t late_cancel_ns;
    int64_t dry[2]; /* a side on which nobody quotes */
    bog_ns_t dry_until_ns, spread_until_ns, burst_until_ns, cascade_until_ns;
    int64_t spread_times, burst_times, cascade_side;
    bog_ns_t cascade_next_ns, cascade_gap_ns;

    /* counters */
    uint64_t adds, cancels, takers, frames, traded_qty, printed_qty, lost_prints_qty;
    uint64_t pool_full, rows_lost, reports_lost, trades_lost, commands_late;
} bog_market_t;

_Static_assert(sizeof(bog_sim_level_t) == 32, "two levels to a cache line");

#endif
