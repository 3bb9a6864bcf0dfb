/*
 * The inventory strategy: numbers of a model, and what a strategy remembers between two turns.
 *
 * Owner: inventory.pxd; the model comes from coefficients.pxd, off the hot path, in an event.
 */
#ifndef BOG_INVENTORY_H
#define BOG_INVENTORY_H

#include "quota.h"
#include "types.h"
#include "volatility.h"

#define BOG_MODEL_STEPS 16
#define BOG_MODEL_POINTS (2 * BOG_MODEL_STEPS + 1)

/*
 * What a model says, in integers.
 *
 * Invariant: shift falls from point to point, or stays.
 */
typedef struct bog_model {
    int64_t half_q16; /* half spread, ticks */
    int64_t steps;    /* points a side, 1 to BOG_MODEL_STEPS; 0: there is no model yet */
    int64_t shift_q16[BOG_MODEL_POINTS]; /* of both quotes, ticks; point i is for a position of
                                            max_pos * (i - steps) / steps */
    int64_t number_q16[BOG_NUMBERS];     /* by enum bog_model_number, for journal and page */
} bog_model_t;

/* What a strategy remembers. simple_spread uses the quota and the state alone. */
typedef struct bog_strategy_memory {
    bog_quota_t quota;
    bog_model_t model;
    bog_volatility_t volatility;
    uint64_t state;    /* enum bog_strategy_state */
    bog_px_t interval; /* of a grid of several orders, ticks; 0 before its first quote */
} bog_strategy_memory_t;

#endif
