/*
 * The grid: several orders a side, a fixed interval apart, and the steps that lead there.
 *
 * Owner: grid.pxd writes both; the engine sends what a step asks for.
 */
#ifndef BOG_GRID_H
#define BOG_GRID_H

#include "types.h"

/* Most orders a side: two whole grids, one of them canceled just now, fill the order table. */
#define BOG_GRID_ORDERS 8

/*
 * What one side wants resting, nearest to the market first.
 *
 * Invariant: the sizes together are at most `room`, so that all of them filled is still max_pos.
 */
typedef struct bog_ladder {
    int64_t side;      /* enum bog_side */
    int64_t n;         /* levels wanted now */
    int64_t most;      /* orders that may live on this side at once, dying ones included */
    bog_px_t interval; /* ticks between two levels */
    bog_qty_t room;    /* lots that this side may add before the position is max_pos */
    bog_qty_t least;   /* smallest order, lots, at least 1 */
    uint32_t refused;  /* bit i: no create or amend for level i any more in this turn */
    uint32_t paced;    /* 1: resting orders may be moved, resized and renewed in this turn */
    bog_px_t px[BOG_GRID_ORDERS];
    bog_qty_t qty[BOG_GRID_ORDERS]; /* lots open */
} bog_ladder_t;

/*
 * Return type of the act on a grid. `flatten` gives it copies of all that it calls, so that the compiler
 * goes on treating each of them as called once, and inlines it, in the path of one order a side.
 */
#define BOG_GRID_VOID __attribute__((flatten, cold)) void

enum bog_grid_step_kind {
    BOG_GRID_DONE = 0, /* each level has its order, and nothing else lives on this side */
    BOG_GRID_WAIT = 1, /* the venue's word is awaited */
    BOG_GRID_SOON = 2, /* a change is wanted that may not go now */
    BOG_GRID_PLACE = 3,
    BOG_GRID_AMEND = 4,
    BOG_GRID_CANCEL = 5,
};

/* The next step from what lives on a side to what its ladder wants. */
typedef struct bog_grid_step {
    int64_t kind;  /* enum bog_grid_step_kind */
    int64_t slot;  /* amend, cancel: which order; else -1 */
    int64_t level; /* place, amend: for which level; else -1 */
    bog_px_t px;   /* place, amend: ticks */
    bog_qty_t qty; /* place, amend: lots open, what is filled not included */
    int64_t count; /* orders alive on this side */
    int64_t wrong; /* 1: the order stands on the wrong side of the fair price: it moves or goes */
} bog_grid_step_t;

#endif
