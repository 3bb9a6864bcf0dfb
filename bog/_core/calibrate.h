/*
 * How far aggressors reach: what A and k of fills(d) = A exp(-k d) are fitted to.
 *
 * Owner: calibrate.pxd, off the path of a tick. Distances are whole ticks from the mid at the
 * beginning of each 100 ms.
 */
#ifndef BOG_CALIBRATE_H
#define BOG_CALIBRATE_H

#include "types.h"

#define BOG_CALIBRATE_INTERVALS 6000 /* ten minutes of 100 ms */
#define BOG_CALIBRATE_LAST 70        /* the largest distance that is fitted, ticks */
#define BOG_CALIBRATE_BINS (BOG_CALIBRATE_LAST + 2)
#define BOG_CALIBRATE_POINTS 30            /* a fit on fewer is refused */
#define BOG_CALIBRATE_FIT_NS 60000000000LL /* between two fits */

typedef struct bog_calibration {
    bog_px_t mid2;  /* at the beginning of the interval, half ticks; 0: none, prints do not count */
    int64_t far[2]; /* largest distance in it, by aggressor's side; 0 when none went past the mid */
    int64_t n;      /* intervals in the ring */
    int64_t at;     /* where the next one goes */
    int64_t count[2][BOG_CALIBRATE_BINS]; /* intervals of the ring by their largest distance */
    uint8_t ring[BOG_CALIBRATE_INTERVALS][2];
    bog_ns_t fit_ns;   /* next fit */
    bog_ns_t model_ns; /* next computation of the model's numbers */
    double arrivals;   /* A in force, per second and side; 0: as configured */
    double decay;      /* k in force, per tick */
    int64_t fit;       /* enum bog_fit of the newest try */
} bog_calibration_t;

#endif
