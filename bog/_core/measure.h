/*
 * What trading earned and why: capture, inventory, fees, funding, markouts, time not quoting.
 *
 * Owner: measure. Values are half quanta where a mid is involved, so that every sum is exact:
 * capture + inventory - 2 * fees + 2 * funding = change of equity at the mid, in half quanta.
 */
#ifndef BOG_MEASURE_H
#define BOG_MEASURE_H

#include "types.h"

#define BOG_HORIZONS 4        /* 100 ms, 1 s, 10 s, 60 s */
#define BOG_REASONS 6         /* enum bog_fill_reason */
#define BOG_MIDS (1 << 16)    /* changes of the mid that are remembered */
#define BOG_PENDING (1 << 14) /* fills whose markouts are still to come */
#define BOG_WHYS 64           /* reasons not to quote: quiet reasons, then 32 + verdict */

typedef struct bog_markout {
    bog_half_t value;      /* sum of side * (mid after - price) * qty, half quanta */
    bog_quanta_t notional; /* of the fills in it */
    uint64_t fills;
} bog_markout_t;

typedef struct bog_pending {
    bog_ns_t venue_ns;
    bog_px_t px;
    bog_qty_t qty;
    uint8_t side;
    uint8_t reason;
} bog_pending_t;

/* The part that the report and the screen read; lives in the stats page. */
typedef struct bog_measure {
    bog_half_t capture;
    bog_half_t inventory;
    bog_quanta_t fees;
    bog_quanta_t funding;
    bog_qty_t pos;
    bog_px_t mid2;       /* last mid of a two-sided book, half ticks; 0 before the first */
    bog_half_t start;    /* equity at the mid when measuring began, half quanta */
    bog_half_t peak;     /* highest equity at the mid since, half quanta */
    bog_half_t drawdown; /* largest fall from it, half quanta */
    uint64_t fills[2];   /* by side */
    bog_qty_t filled[2]; /* lots by side */
    bog_qty_t sent[2];   /* lots placed by side */
    bog_quanta_t volume;
    bog_ns_t first_ns;
    bog_ns_t last_ns;
    bog_ns_t both_ns;             /* both sides quoted */
    bog_ns_t touch_ns[2];         /* our quote stood at the touch or better */
    bog_ns_t limit_ns;            /* time at the inventory limit */
    double pos_dt, abs_dt, sq_dt; /* lots x ns: statistics for people, never fed back */
    uint64_t by_reason[BOG_REASONS];
    bog_markout_t markout[BOG_HORIZONS][2][BOG_REASONS];
    uint64_t
        markout_excluded[BOG_HORIZONS]; /* too close to the end, or the mid then is forgotten */
    bog_ns_t idle_ns[2][BOG_WHYS];      /* time a side was not quoted, by reason */
} bog_measure_t;

typedef struct bog_mid {
    bog_ns_t time_ns;
    bog_px_t mid2;
} bog_mid_t;

/* The private part: memory of mids and fills whose future is not known yet. */
typedef struct bog_measure_memory {
    uint64_t n_mids;             /* changes seen */
    uint64_t n_fills;            /* fills seen */
    uint64_t done[BOG_HORIZONS]; /* fills whose markout at that horizon is settled */
    bog_mid_t mid[BOG_MIDS];
    bog_pending_t pending[BOG_PENDING];
} bog_measure_memory_t;

#endif
