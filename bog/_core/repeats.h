/*
 * When something happened last, so often that more of it in a window can be told exactly.
 *
 * Owner: repeats.pxd is the only writer. One for fills, one for refusals by the venue.
 */
#ifndef BOG_REPEATS_H
#define BOG_REPEATS_H

#include "types.h"

#define BOG_REPEATS 256 /* times kept: a limit is at most one less */

typedef struct bog_repeats {
    uint64_t n; /* times noted since the start or the last clearing */
    bog_ns_t at_ns[BOG_REPEATS];
} bog_repeats_t;

#endif
