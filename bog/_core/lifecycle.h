/*
 * The life of a strategy: one table from where it is and what is true to where it goes.
 *
 * Owner: lifecycle.pxd. PAUSED goes back to WARMING, and from there on at once when the estimates
 * are still good. DRAINING has one way out, STOPPED none.
 */
#ifndef BOG_LIFECYCLE_H
#define BOG_LIFECYCLE_H

#include "types.h"

/* What may be true of a strategy's world. */
enum bog_truth {
    BOG_TRUTH_BOOK = 0,  /* there is a book, but the estimates are not good yet */
    BOG_TRUTH_WARM = 1,  /* a book, and all estimates are good */
    BOG_TRUTH_COLD = 2,  /* no book: lost, stale, or none yet */
    BOG_TRUTH_PAUSE = 3, /* an operator's pause, or a halt, stands */
    BOG_TRUTH_DRAIN = 4, /* the run goes down, and orders of ours may be open */
    BOG_TRUTH_GONE = 5,  /* the run goes down, and every order of ours is proven dead */
    BOG_TRUTHS = 6,
};

static const uint8_t bog_lifecycle_next[BOG_STRATEGY_STATES][BOG_TRUTHS] = {
    [BOG_STRATEGY_INIT] = { BOG_STRATEGY_WARMING, BOG_STRATEGY_WARMING, BOG_STRATEGY_INIT,
                            BOG_STRATEGY_PAUSED, BOG_STRATEGY_DRAINING, BOG_STRATEGY_DRAINING },
    [BOG_STRATEGY_WARMING] = { BOG_STRATEGY_WARMING, BOG_STRATEGY_ACTIVE, BOG_STRATEGY_WARMING,
                               BOG_STRATEGY_PAUSED, BOG_STRATEGY_DRAINING, BOG_STRATEGY_DRAINING },
    [BOG_STRATEGY_ACTIVE] = { BOG_STRATEGY_WARMING, BOG_STRATEGY_ACTIVE, BOG_STRATEGY_WARMING,
                              BOG_STRATEGY_PAUSED, BOG_STRATEGY_DRAINING, BOG_STRATEGY_DRAINING },
    [BOG_STRATEGY_PAUSED] = { BOG_STRATEGY_WARMING, BOG_STRATEGY_WARMING, BOG_STRATEGY_WARMING,
                              BOG_STRATEGY_PAUSED, BOG_STRATEGY_DRAINING, BOG_STRATEGY_DRAINING },
    [BOG_STRATEGY_DRAINING] = { BOG_STRATEGY_DRAINING, BOG_STRATEGY_DRAINING, BOG_STRATEGY_DRAINING,
                                BOG_STRATEGY_DRAINING, BOG_STRATEGY_DRAINING,
                                BOG_STRATEGY_STOPPED },
    [BOG_STRATEGY_STOPPED] = { BOG_STRATEGY_STOPPED, BOG_STRATEGY_STOPPED, BOG_STRATEGY_STOPPED,
                               BOG_STRATEGY_STOPPED, BOG_STRATEGY_STOPPED, BOG_STRATEGY_STOPPED },
};

#endif
