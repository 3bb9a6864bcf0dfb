/*
 * The stats page: what a running engine shows to the shell, in shared memory.
 *
 * Owner: the engine's loop is the only writer of everything but `control`, which the shell writes.
 * Plain stores: a reader may see a counter late. `beat` is odd while the loop copies the parts that
 * must be read together (position, orders, quote, fills), even when they are whole.
 */
#ifndef BOG_STATS_H
#define BOG_STATS_H

#include "hist.h"
#include "level.h"
#include "measure.h"
#include "types.h"

#define BOG_STATS_MAGIC 0x736d6174736f6762ULL
#define BOG_STATS_VERSION 5
#define BOG_STATS_ORDERS 32 /* every order that may live: BOG_ORDERS_CAP */
#define BOG_STATS_FILLS 16
#define BOG_STATS_STATES 12 /* enum bog_order_state */
#define BOG_STATS_TIFS 4    /* enum bog_tif */

enum bog_run_state {
    BOG_RUN_STARTING = 0,
    BOG_RUN_TRADING = 1,
    BOG_RUN_DRAINING = 2,
    BOG_RUN_DONE = 3,
};

/* The parts of a turn that are timed now and then. Owner: stages. */
enum bog_stage {
    BOG_STAGE_READ = 0,      /* a row out of the feed's ring; of a feed in shared memory alone */
    BOG_STAGE_BOOK = 1,      /* the ten best levels into the record that the engine is shown */
    BOG_STAGE_STRATEGY = 2,  /* the quote */
    BOG_STAGE_RISK = 3,      /* the gate on one side of it */
    BOG_STAGE_EXECUTION = 4, /* a turn's records into the journal, its commands to the executor */
    BOG_STAGES = 5,
};

typedef struct bog_stats {
    bog_control_t control;
    uint64_t magic;
    uint64_t version;
    uint64_t market;
    uint64_t pid;
    uint64_t state;     /* enum bog_run_state */
    uint64_t run;       /* run number of the journal */
    uint64_t beat;      /* odd while the block from `now_ns` on is copied */
    bog_ns_t beat_mono; /* CLOCK_MONOTONIC of the last beat */

    /* what nearly each turn writes, by plain stores: close together, for it is many lanes' */
    uint64_t rows, books, unchanged;
    bog_ns_t turned_ns; /* CLOCK_MONOTONIC when the last book message was done, commands stored */
    uint64_t reports, placed, amended, canceled;
    uint64_t amends[2];                  /* amends sent, by side */
    uint64_t creates[2][BOG_STATS_TIFS]; /* creates sent, by side and enum bog_tif */
    bog_measure_t measure;
    bog_hist_t turn;       /* a book message, seen to done */
    bog_hist_t order_turn; /* a book message that led to commands, seen to commands stored */

    /* what is copied between two beats */
    bog_ns_t now_ns;   /* engine clock */
    bog_ns_t start_ns; /* engine clock of the first event */
    bog_ns_t alive_ns; /* engine clock at which the feed was last known alive */
    bog_px_t bid;
    bog_qty_t bid_qty;
    bog_px_t ask;
    bog_qty_t ask_qty;
    bog_px_t mark2;
    bog_px_t quote_px[2]; /* what the strategy wants, 0 = nothing */
    bog_qty_t quote_qty[2];
    uint64_t why[2]; /* 0 quoting, else quiet reason or 32 + verdict */
    uint64_t level;
    uint64_t halt; /* enum bog_halt */
    uint64_t halt_id;
    uint64_t stale;
    uint64_t strategy;              /* enum bog_strategy_state */
    uint64_t connection;            /* enum bog_connection_state */
    uint64_t asks;                  /* requests of operators that the engine has taken */
    uint64_t aside;                 /* enum bog_aside */
    int64_t limit[BOG_LIMITS];      /* in force, by enum bog_limit */
    int64_t configured[BOG_LIMITS]; /* of one that an operator tightened; else 0 */
    uint64_t tightened_by[BOG_LIMITS];
    int64_t quota;                   /* creates and amends left, when the tier has a quota */
    int64_t sigma_q8[2];             /* deviation of the mid in 100 ms and in 1 s, 1/256 tick */
    int64_t number_q16[BOG_NUMBERS]; /* of the model, by enum bog_model_number */
    bog_half_t equity2, daily2, peak2, unrealized2;
    bog_position_t position;
    bog_order_t order[BOG_STATS_ORDERS];
    uint64_t order_states[BOG_STATS_STATES]; /* orders that may still fill, by state */
    uint64_t reports_due;               /* reports that the executor holds until their time comes */
    bog_report_t fill[BOG_STATS_FILLS]; /* ring; the newest is (fills - 1) mod 16 */

    /* further counters, each written by plain stores */
    uint64_t trades, stats, statuses, gaps, laps, crossed, invalid;
    uint64_t turns, timers, cancel_all;
    uint64_t acks, rejects, fills, cancels_done, expired, unknown, violations;
    uint64_t journal_seq, journal_durable, journal_waits;
    uint64_t no_prints;   /* 1 while the feed has shown no print */
    uint64_t pessimistic; /* orders judged where the size in front is unknown */
    uint64_t denied[BOG_VERDICTS];
    uint64_t rejected[16];          /* by enum bog_reject */
    uint64_t progress, progress_of; /* bytes of a recording */

    bog_hist_t stage[BOG_STAGES]; /* sampled parts of a turn, by enum bog_stage */
} bog_stats_t;

#endif
