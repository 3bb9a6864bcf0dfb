/*
 * What volatility is estimated from: the mid on two fixed clocks, 100 ms and 1 s of engine time.
 *
 * Owner: volatility.pxd. Variances are ticks squared per sample, Q16.
 */
#ifndef BOG_VOLATILITY_H
#define BOG_VOLATILITY_H

#include "types.h"

#define BOG_VOLATILITY_WINDOW 1024           /* samples that a window can hold */
#define BOG_VOLATILITY_MOVE (1LL << 18)      /* half ticks: a larger move counts as this one */
#define BOG_VOLATILITY_GAP_NS 1000000000LL   /* longer without a sample, and the mid begins anew */
#define BOG_VOLATILITY_BEATS 10              /* samples of 100 ms that make one of 1 s */
#define BOG_VOLATILITY_PARKINSON_Q16 23637LL /* round(65536 / (4 ln 2)) */

/* The estimate on one of the clocks. */
typedef struct bog_volatility_clock {
    bog_px_t last2; /* mid at the last sample, half ticks; 0: none, the next sample begins */
    bog_px_t high2; /* highest and lowest mid since */
    bog_px_t low2;
    int64_t var_q16; /* per sample */
    int64_t samples; /* taken so far */
    int64_t sum;     /* of the squares in the window, half ticks squared */
    int64_t n;       /* squares in the window */
    int64_t at;      /* where the next one goes */
    int64_t square[BOG_VOLATILITY_WINDOW];
} bog_volatility_clock_t;

typedef struct bog_volatility {
    bog_ns_t time_ns;            /* of the last sample */
    int64_t beats;               /* samples of 100 ms since the last one of 1 s */
    bog_volatility_clock_t fast; /* 100 ms */
    bog_volatility_clock_t slow; /* 1 s */
} bog_volatility_t;

#endif
