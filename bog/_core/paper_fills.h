/* The arithmetic of the square model: which part of a decrease left from in front of us. */
#ifndef BOG_PAPER_FILLS_H
#define BOG_PAPER_FILLS_H

#include "fixed.h"

/* floor(dec * f^2 / (f^2 + b^2)), exact for 0 <= dec, f, b <= 2^49: long division by bits. */
static inline bog_qty_t bog_square_share(bog_qty_t dec, bog_qty_t f, bog_qty_t b)
{
    bog_u128 part = (bog_u128)f * f, whole = part + (bog_u128)b * b, rest = 0;
    bog_qty_t share = 0;
    if (part == 0)
        return 0;
    for (int bit = 49; bit >= 0; bit--) {
        share *= 2;
        rest *= 2;
        if (dec >> bit & 1)
            rest += part;
        while (rest >= whole) {
            rest -= whole;
            share += 1;
        }
    }
    return share;
}

#endif
