/*
 * What the book room says about a record.
 *
 * Owner: book.pxd. Nothing here is stored; a sweep lives on its caller's stack.
 */
#ifndef BOG_BOOK_H
#define BOG_BOOK_H

#include "fixed.h"
#include "types.h"

/* The state of the touch. */
enum bog_book_class {
    BOG_BOOK_EMPTY = 0,
    BOG_BOOK_BID_ONLY = 1,
    BOG_BOOK_ASK_ONLY = 2,
    BOG_BOOK_NORMAL = 3,  /* bid below the ask */
    BOG_BOOK_LOCKED = 4,  /* bid equals the ask */
    BOG_BOOK_CROSSED = 5, /* bid above the ask */
};

/* Why a record is no valid book; the first fault found, bids before asks. */
enum bog_book_fault {
    BOG_BOOK_SOUND = 0,
    BOG_BOOK_BAD_KIND = 1,  /* not a book record */
    BOG_BOOK_BAD_COUNT = 2, /* more than ten levels, or a level stands past the count */
    BOG_BOOK_BAD_PX = 3,    /* a price is not between 1 and BOG_PX_MAX - 1 ticks */
    BOG_BOOK_BAD_QTY = 4,   /* a size is not between 1 and BOG_QTY_MAX - 1 lots */
    BOG_BOOK_BAD_ORDER = 5, /* levels not strictly from best to worst: unsorted, or a price twice */
    BOG_BOOK_BAD_TOUCH = 6, /* the header line is not level 1 */
};

/*
 * What taking a size out of one side costs, by the levels that are shown.
 *
 * Invariants: filled is the size asked for, or all that is shown; cost lies between
 * filled x best and filled x worst.
 */
typedef struct bog_sweep {
    bog_i128 cost;    /* sum of px x qty taken, quanta; past 64 bits on a full book */
    bog_qty_t filled; /* lots */
    bog_px_t best;    /* first price met, ticks; 0 when the side is empty */
    bog_px_t worst;   /* last price met */
    int64_t levels;   /* levels touched, the last perhaps in part */
} bog_sweep_t;

#endif
