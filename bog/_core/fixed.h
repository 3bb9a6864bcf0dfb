/*
 * Exact integer arithmetic on money: every product is checked or 128 bits wide.
 *
 * No function here rounds without saying which way in its name or comment.
 */
#ifndef BOG_FIXED_H
#define BOG_FIXED_H

#include "types.h"

typedef __int128 bog_i128;
typedef unsigned __int128 bog_u128;

/* Return 1 and leave *out alone when a x b does not fit an int64. */
static inline int bog_mul_overflows(int64_t a, int64_t b, int64_t *out)
{
    int64_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return 1;
    *out = r;
    return 0;
}

/* Return 1 and leave *out alone when a + b does not fit an int64. */
static inline int bog_add_overflows(int64_t a, int64_t b, int64_t *out)
{
    int64_t r;
    if (__builtin_add_overflow(a, b, &r))
        return 1;
    *out = r;
    return 0;
}

/* a + b, the nearest int64 when it does not fit. */
static inline int64_t bog_add_near(int64_t a, int64_t b)
{
    int64_t r;
    if (__builtin_expect(__builtin_add_overflow(a, b, &r), 0))
        return a > 0 ? INT64_MAX : INT64_MIN;
    return r;
}

/* a x b, the nearest int64 when it does not fit. */
static inline int64_t bog_mul_near(int64_t a, int64_t b)
{
    int64_t r;
    if (__builtin_expect(__builtin_mul_overflow(a, b, &r), 0))
        return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
    return r;
}

/* a x b > bound, exactly. */
static inline int bog_product_past(int64_t a, int64_t b, int64_t bound)
{
    int64_t r;
    if (__builtin_expect(__builtin_mul_overflow(a, b, &r), 0))
        return (a < 0) == (b < 0);
    return r > bound;
}

/* a x b < bound, exactly. */
static inline int bog_product_below(int64_t a, int64_t b, int64_t bound)
{
    int64_t r;
    if (__builtin_expect(__builtin_mul_overflow(a, b, &r), 0))
        return (a < 0) != (b < 0);
    return r < bound;
}

/* floor(a / b) towards minus infinity; b > 0. Sizes are divided, so that a constant b multiplies. */
static inline int64_t bog_floor_div(int64_t a, int64_t b)
{
    if (__builtin_expect(a < 0, 0))
        return (int64_t)(0 - (0 - (uint64_t)a + (uint64_t)b - 1) / (uint64_t)b);
    return (int64_t)((uint64_t)a / (uint64_t)b);
}

/* ceil(a / b) towards plus infinity; b > 0. */
static inline int64_t bog_ceil_div(int64_t a, int64_t b)
{
    if (__builtin_expect(a < 0, 0))
        return (int64_t)(0 - (0 - (uint64_t)a) / (uint64_t)b);
    return (int64_t)(((uint64_t)a + (uint64_t)b - 1) / (uint64_t)b);
}

/* Tell the compiler that `known` holds, which the caller has made certain. */
static inline void bog_sure(int known)
{
    if (!known)
        __builtin_unreachable();
}

/* floor(a * b / c) with a 128-bit product; c > 0; the result must fit (saturates otherwise). */
static inline int64_t bog_mul_div(int64_t a, int64_t b, int64_t c)
{
    bog_i128 p = (bog_i128)a * b;
    bog_i128 q = p / c;
    if (p % c != 0 && p < 0)
        q -= 1;
    return q > INT64_MAX ? INT64_MAX : q < INT64_MIN ? INT64_MIN : (int64_t)q;
}

/* ceil(a * b / c) with a 128-bit product; c > 0; saturates. */
static inline int64_t bog_mul_div_up(int64_t a, int64_t b, int64_t c)
{
    bog_i128 p = (bog_i128)a * b;
    bog_i128 q = p / c;
    if (p % c != 0 && p > 0)
        q += 1;
    return q > INT64_MAX ? INT64_MAX : q < INT64_MIN ? INT64_MIN : (int64_t)q;
}

/* Fee of px x qty at a rate in ppm, rounded up: against us, also for a rebate. Saturates. */
static inline bog_quanta_t bog_fee(bog_px_t px, bog_qty_t qty, bog_ppm_t ppm)
{
    bog_i128 p = (bog_i128)px * qty * ppm;
    bog_i128 q = p / 1000000;
    if (p % 1000000 != 0 && p > 0)
        q += 1;
    return q > INT64_MAX ? INT64_MAX : q < INT64_MIN ? INT64_MIN : (int64_t)q;
}

/* More than `limit` lies between two times, either way: old, or of another clock. */
static inline int bog_apart(int64_t a, int64_t b, int64_t limit)
{
    uint64_t gap = a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
    return gap > (uint64_t)limit || limit < 0;
}

/* Largest r with r * r <= v. */
static inline uint64_t bog_isqrt(uint64_t v)
{
    uint64_t r = 0;
    for (uint64_t bit = 1ULL << 62; bit; bit >>= 2) {
        if (v >= r + bit) {
            v -= r + bit;
            r = (r >> 1) + bit;
        } else {
            r >>= 1;
        }
    }
    return r;
}

#endif
