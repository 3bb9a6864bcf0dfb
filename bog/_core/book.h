/*
 * What the book room says about a record.
 *
 * Owner: book.pxd. Nothing here is stored; a sweep lives on its caller's stack.
 */
#ifndef BOG_BOOK_H
#define BOG_BOOK_H

#include <string.h>

#include "fixed.h"
#include "types.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

/*
 * 1: a book of ten levels a side that is sound in every way that enum bog_book_fault names, with no
 * price or size above 2^39, as good as always. 0: look closer, level by level.
 *
 * Prices fall from bid to bid and rise from ask to ask, so that the first and the last of a side
 * bound the others; sizes are bounded each.
 */
#if defined(__x86_64__)
#define BOG_BOOK_BITS 39
_Static_assert(1LL << BOG_BOOK_BITS < BOG_PX_MAX && BOG_BOOK_BITS < BOG_QTY_BITS,
               "what bog_book_full passes is in range");

/* Two words of the bids below two of the asks. */
#define BOG_SIDES(bids, asks)                                                                      \
    _mm256_inserti128_si256(_mm256_castsi128_si256(*(const __m128i_u *)(bids)),                    \
                            *(const __m128i_u *)(asks), 1)
#define BOG_FOUR(words) (*(const __m256i_u *)(words))

__attribute__((target("avx2"))) static inline int bog_book_full_avx2(const bog_record_t *r)
{
    const __m256i ones = _mm256_set1_epi64x(-1);
    __m256i first, before, last, sizes, order, less, off;
    uint32_t kind; /* with flags and counts: one word */
    memcpy(&kind, &r->kind, sizeof kind);
    if ((kind & 0xFFFF00FFU) != (BOG_REC_BOOK | BOG_DEPTH << 16 | BOG_DEPTH << 24))
        return 0;
    /* levels 9 and 10 of both sides, the two before them, and what the header line must say */
    last = BOG_SIDES(r->bids_px_tail, r->asks_px_tail);
    before = _mm256_alignr_epi8(last, BOG_SIDES(&r->bids_px[6], &r->asks_px[6]), 8);
    first = _mm256_inserti128_si256(
        _mm256_castsi128_si256(
            _mm_unpacklo_epi64(*(const __m128i_u *)r->bids_px, *(const __m128i_u *)r->bids_qty)),
        _mm_unpacklo_epi64(*(const __m128i_u *)r->asks_px, *(const __m128i_u *)r->asks_qty), 1);
    sizes = BOG_SIDES(r->bids_qty_tail, r->asks_qty_tail);
    order = _mm256_cmpgt_epi64(BOG_FOUR(&r->bids_px[0]), BOG_FOUR(&r->bids_px[1])) &
            _mm256_cmpgt_epi64(BOG_FOUR(&r->bids_px[3]), BOG_FOUR(&r->bids_px[4])) &
            _mm256_cmpgt_epi64(BOG_FOUR(&r->asks_px[1]), BOG_FOUR(&r->asks_px[0])) &
            _mm256_cmpgt_epi64(BOG_FOUR(&r->asks_px[4]), BOG_FOUR(&r->asks_px[3])) &
            _mm256_blend_epi32(_mm256_cmpgt_epi64(before, last), _mm256_cmpgt_epi64(last, before),
                               0xF0);
    /* a number less one within its bits: it is from 1 to 2^39 */
    less = _mm256_add_epi64(first, ones) | _mm256_add_epi64(last, ones) |
           _mm256_add_epi64(sizes, ones) | _mm256_add_epi64(BOG_FOUR(&r->bids_qty[0]), ones) |
           _mm256_add_epi64(BOG_FOUR(&r->bids_qty[4]), ones) |
           _mm256_add_epi64(BOG_FOUR(&r->asks_qty[0]), ones) |
           _mm256_add_epi64(BOG_FOUR(&r->asks_qty[4]), ones);
    off = _mm256_srli_epi64(less, BOG_BOOK_BITS) | (first ^ BOG_FOUR(&r->bid));
    return _mm256_testc_si256(order, ones) && _mm256_testz_si256(off, off);
}
#endif

static inline int bog_book_full(const bog_record_t *record)
{
#if defined(__AVX2__)
    return bog_book_full_avx2(record);
#elif defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && bog_book_full_avx2(record);
#else
    (void)record;
    return 0;
#endif
}

/* 1: the best prices and sizes of two book records are equal. One cache line of each is read. */
static inline int bog_book_same_touch(const bog_record_t *a, const bog_record_t *b)
{
#if defined(__AVX2__)
    __m256i off =
        _mm256_loadu_si256((const __m256i *)&a->bid) ^ _mm256_loadu_si256((const __m256i *)&b->bid);
    return _mm256_testz_si256(off, off);
#else
    return a->bid == b->bid && a->bid_qty == b->bid_qty && a->ask == b->ask &&
           a->ask_qty == b->ask_qty;
#endif
}

#endif
