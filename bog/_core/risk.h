/*
 * The gate's memory: tokens, the halt that stands, and what was refused.
 *
 * Owner: risk. Exact comparisons that need 128 bits live here, one line each.
 */
#ifndef BOG_RISK_H
#define BOG_RISK_H

#include "exposure.h"
#include "fixed.h"
#include "types.h"

#define BOG_TOKEN 60000000000LL               /* one request: nanoseconds at one a minute */
#define BOG_BURST_MAX (INT64_MAX / BOG_TOKEN) /* a larger bucket counts as this */

#ifdef BOG_CAPS_CONSERVATIVE
#define BOG_HARD_CAPS 1
#else
#define BOG_HARD_CAPS 0
#endif

typedef struct bog_risk {
    alignas(BOG_CACHE_LINE) int64_t tokens; /* in the bucket, BOG_TOKEN each */
    bog_ns_t refilled_ns;                   /* event time up to which the bucket is filled */
    uint64_t halt_id;                       /* id of the last halt, from 1; only grows */
    uint32_t halts;                         /* bit 1 << enum bog_halt for each reason that stands */
    uint8_t halt;                           /* enum bog_halt: the newest reason that stands */
    uint8_t pad[3];
    uint64_t denied[BOG_VERDICTS]; /* refusals by reason; [BOG_ALLOW] counts what passed */
} bog_risk_t;

/* The moment that the gate judges. Owner: engine, once a turn. */
typedef struct bog_moment {
    bog_ns_t now;       /* event time */
    bog_ns_t alive_ns;  /* last sign of life of the feed, on the same clock */
    bog_half_t equity2; /* what the account earned, at the mark, half quanta */
    bog_half_t daily2;  /* the part of it earned today */
    bog_half_t peak2;   /* the day's highest daily2 */
    bog_qty_t pos;      /* lots held */
    int64_t level;      /* enum bog_level; an unknown one reads as KILLED */
    int64_t connected;  /* 1: the executor can be reached; anything else reads as lost */
    bog_quanta_t room;  /* what this market may come to hold at worst, all markets considered */
    int64_t watch;      /* enum bog_verdict: what feed or market is suspected of; ALLOW: nothing */
} bog_moment_t;

/* Bounds that no configuration can exceed. */
typedef struct bog_caps {
    bog_qty_t position; /* lots, either side */
    bog_qty_t order;    /* lots */
    bog_quanta_t loss;  /* daily, quanta */
} bog_caps_t;

/* Which limit a cap refuses. */
enum bog_cap {
    BOG_CAP_NONE = 0,
    BOG_CAP_DECIMALS = 1, /* decimals outside 0..9 */
    BOG_CAP_LONG = 2,
    BOG_CAP_SHORT = 3,
    BOG_CAP_ORDER = 4,
    BOG_CAP_DAILY_LOSS = 5,
};

/* Each limit that an operator may tighten, and its field of bog_limits_t. */
#define BOG_EACH_LIMIT(X)                                                                          \
    X(BOG_LIMIT_MAX_POSITION, max_long)                                                            \
    X(BOG_LIMIT_MAX_SHORT, max_short)                                                              \
    X(BOG_LIMIT_MAX_ORDER_SIZE, max_order)                                                         \
    X(BOG_LIMIT_MAX_NOTIONAL, max_notional)                                                        \
    X(BOG_LIMIT_MAX_EXPOSURE_QUOTE, max_exposure)                                                  \
    X(BOG_LIMIT_MAX_DAILY_LOSS, max_daily_loss)                                                    \
    X(BOG_LIMIT_MAX_DRAWDOWN, drawdown_ppm)                                                        \
    X(BOG_LIMIT_MAX_OPEN_ORDERS, max_open_orders)                                                  \
    X(BOG_LIMIT_RATE_LIMIT_ORDERS_PER_SEC, rate_per_min)                                           \
    X(BOG_LIMIT_COLLAR, collar_ppm)

/* A limit in force; 0 for a number that is none. */
static inline int64_t bog_limit_get(const bog_limits_t *limits, uint64_t limit)
{
#define BOG_GET(name, field)                                                                       \
    case name:                                                                                     \
        return limits->field;
    switch (limit) {
        BOG_EACH_LIMIT(BOG_GET)
    }
    return 0;
#undef BOG_GET
}

/* Put `value` in force when it is above 0 and tighter than what is; return whether it was. */
static inline int bog_limit_tighten(bog_limits_t *limits, uint64_t limit, int64_t value)
{
    if (value <= 0 || value >= bog_limit_get(limits, limit))
        return 0;
#define BOG_SET(name, field)                                                                       \
    case name:                                                                                     \
        limits->field = value;                                                                     \
        return 1;
    switch (limit) {
        BOG_EACH_LIMIT(BOG_SET)
    }
    return 0;
#undef BOG_SET
}

/* |2 px - mid2| / mid2 > ppm / 1e6, exactly; mid2 > 0. */
static inline int bog_past_collar(bog_px_t px, bog_px_t mid2, bog_ppm_t ppm)
{
    int64_t gap, bound;
    if (__builtin_expect(__builtin_mul_overflow(px, 2, &gap) ||
                             __builtin_sub_overflow(gap, mid2, &gap) ||
                             __builtin_mul_overflow(gap, 1000000, &gap) ||
                             __builtin_mul_overflow(mid2, ppm, &bound),
                         0)) {
        bog_i128 wide = 2 * (bog_i128)px - mid2;
        return (wide < 0 ? -wide : wide) * 1000000 > (bog_i128)mid2 * ppm;
    }
    return (gap < 0 ? -gap : gap) > bound; /* no multiple of a million is INT64_MIN */
}

/* qty x px > (balance + equity2 / 2) x ppm / 1e6, exactly; a negative account counts as 0. */
static inline int bog_leverage_past(bog_qty_t qty, bog_px_t px, bog_quanta_t balance,
                                    bog_half_t equity2, int64_t ppm)
{
    bog_i128 value2 = 2 * (bog_i128)balance + equity2;
    if (qty >= BOG_QTY_MAX || px >= BOG_PX_MAX)
        return 1;
    if (ppm > 1LL << 40)
        ppm = 1LL << 40; /* a leverage of a million binds nothing, and the product must fit */
    return (bog_i128)qty * px * 2000000 > (value2 > 0 ? value2 : 0) * ppm;
}

/* A day's profit of daily2 half quanta is a loss of more than `limit` quanta. */
static inline int bog_loss_past(bog_half_t daily2, bog_quanta_t limit)
{
    return bog_product_past(-2, limit, daily2);
}

/* The fall from a peak of at least min_peak quanta is more than ppm of the peak. */
static inline int bog_drawdown_past(bog_half_t daily2, bog_half_t peak2, bog_quanta_t min_peak,
                                    bog_ppm_t ppm)
{
    int64_t fall, bound;
    if (peak2 <= 0 || bog_product_past(2, min_peak, peak2))
        return 0;
    if (__builtin_expect(__builtin_sub_overflow(peak2, daily2, &fall) ||
                             __builtin_mul_overflow(fall, 1000000, &fall) ||
                             __builtin_mul_overflow(peak2, ppm, &bound),
                         0))
        return ((bog_i128)peak2 - daily2) * 1000000 > (bog_i128)peak2 * ppm;
    return fall > bound;
}

#endif
