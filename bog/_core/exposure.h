/*
 * What our orders can still do to us: everything at the venue that is not proven dead.
 *
 * Owner: orders writes it, one scan a decision; risk reads it. An order that is about to be amended
 * is left out of the sums and described apart, because its worst case depends on what it becomes.
 */
#ifndef BOG_EXPOSURE_H
#define BOG_EXPOSURE_H

#include "types.h"

typedef struct bog_exposure {
    bog_qty_t rem[2];  /* lots that may still fill, by side; fills under way included */
    int64_t live;      /* orders not proven dead, the amended one included */
    bog_px_t best[2];  /* highest live bid, lowest live ask, amend prices included; 0 when none */
    bog_px_t top[2];   /* highest price that a fill of that side may have; 0 when none */
    bog_qty_t own_rem; /* the amended order: lots that may still fill as it stands */
    bog_qty_t own_filled; /* the amended order: lots filled */
    bog_px_t own_top;     /* the amended order: highest price that a fill of it may have */
} bog_exposure_t;

#endif
