/*
 * The volume quota: creates and amends that we may send, earned by what we trade.
 *
 * Owner: quota.pxd. An estimate that begins anew with each run; the venue's own count is the truth.
 */
#ifndef BOG_QUOTA_H
#define BOG_QUOTA_H

#include "types.h"

#define BOG_QUOTA_WIDEST 4 /* times the threshold of persistence when only the reserve is left */

typedef struct bog_quota {
    int64_t left;        /* creates and amends that may be sent, never below 0 */
    bog_quanta_t volume; /* traded volume that is counted in `left` */
    bog_quanta_t rest;   /* of it, what does not make a whole one yet */
    bog_ns_t free_ns;    /* from this engine time on the next one costs nothing */
} bog_quota_t;

#endif
