/*
 * What the strategy wants resting, and what it says about an order that rests already.
 *
 * Owner: strategy.pxd is the only writer of a quote; risk and orders read it.
 */
#ifndef BOG_STRATEGY_H
#define BOG_STRATEGY_H

#include "types.h"

/* Why a side is not quoted. Member names are the counter and the log field. */
enum bog_quiet {
    BOG_QUIET_NONE = 0,        /* the side is quoted */
    BOG_QUIET_NO_BOOK = 1,     /* not a book, or nobody else in it */
    BOG_QUIET_ONE_SIDED = 2,   /* nobody else on this side */
    BOG_QUIET_CROSSED = 3,     /* bid at or above the ask */
    BOG_QUIET_PRICE_RANGE = 4, /* touch outside the valid prices, or no valid price for the quote */
    BOG_QUIET_THIN = 5,        /* less than min_touch_qty at a touch */
    BOG_QUIET_SPREAD_MIN = 6,  /* the market is tighter than min_spread_ppm */
    BOG_QUIET_SPREAD_MAX = 7,  /* the market is wider than max_spread_ppm */
    BOG_QUIET_INVENTORY = 8,   /* no room for min_order below max_pos on this side */
    BOG_QUIET_WARMING = 9,     /* the estimates are not good yet, or the strategy is not active */
    BOG_QUIET_QUOTA = 10,      /* what is left of the quota is for reducing the position */
    BOG_QUIETS = 11,
};

/* What to do with an order that rests. */
enum bog_move {
    BOG_MOVE_KEEP = 0,
    BOG_MOVE_PRICE = 1,      /* the wanted price is a threshold or more away */
    BOG_MOVE_WRONG_SIDE = 2, /* its price lies past fair less the fee floor: act at once */
    BOG_MOVE_RESIZE = 3,     /* what remains is not the wanted size any more */
    BOG_MOVE_RENEW = 4,      /* the venue lets it go soon */
    BOG_MOVE_PULL = 5,       /* nothing is wanted on this side: cancel at once */
};

/*
 * The bid and ask we want resting, in one cache line; an intention, not an order.
 *
 * Invariants: a size of 0 means no quote, then the price is 0 and `why` says the reason;
 * bid_px < ask_px when both stand; bid_px < best ask and ask_px > best bid of the others.
 */
typedef struct bog_quote {
    alignas(BOG_CACHE_LINE) bog_px_t bid_px; /* ticks */
    bog_qty_t bid_qty;                       /* lots */
    bog_px_t ask_px;
    bog_qty_t ask_qty;
    bog_px_t fair2;       /* fair price before skew, half ticks; 0 when there is none */
    bog_px_t half_ticks;  /* half spread, rounded up; never below floor_ticks */
    bog_px_t floor_ticks; /* fee floor: nearer to fair a fill does not earn fee and edge */
    uint8_t why[2];       /* enum bog_quiet of bid and ask */
    uint8_t pad[6];
} bog_quote_t;

/* The market without us. A side that nobody stands on has size 0 and the other side's price. */
typedef struct bog_look {
    bog_px_t bid;
    bog_qty_t bid_qty;
    bog_px_t ask;
    bog_qty_t ask_qty;
    bog_px_t mid2; /* half ticks */
} bog_look_t;

_Static_assert(sizeof(bog_quote_t) == BOG_CACHE_LINE, "a quote is one cache line");

#endif
