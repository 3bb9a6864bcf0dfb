/*
 * What all markets together may come to hold: one sum of worst cases, and the limit on it.
 *
 * Owner: portfolio. A unit is 10^-decimals quote of the finest market of the session, so that the
 * quanta of every market are a whole number of units and no conversion rounds.
 * Invariant: `sum` is the sum of `held` over all shares; each lies from 0 to BOG_HELD_MAX, so that
 * BOG_SHARES of them fit an int64.
 */
#ifndef BOG_PORTFOLIO_H
#define BOG_PORTFOLIO_H

#include "exposure.h"
#include "types.h"

#define BOG_SHARES 256                        /* markets of one session */
#define BOG_HELD_MAX (INT64_MAX / BOG_SHARES) /* a worst case beyond counts as this */

typedef struct bog_portfolio {
    int64_t limit; /* units, at most BOG_HELD_MAX */
    int64_t sum;   /* worst cases of all markets, units */
} bog_portfolio_t;

/* One market's part. */
typedef struct bog_share {
    int64_t unit; /* units in a quantum of this market: a power of ten */
    int64_t held; /* its worst case as counted in the sum, units */
} bog_share_t;

#endif
