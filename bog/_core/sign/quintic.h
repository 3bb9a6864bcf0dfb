/*
 * The quintic extension GF(p^5) = GF(p)[z] / (z^5 - 3): five limbs, limb 0 first, each canonical.
 *
 * A product sums up to five 128-bit products a limb and folds once. What is 40 bytes outside is
 * little-endian, limb 0 first; bytes whose limb is not below p are refused.
 */
#ifndef BOG_SIGN_QUINTIC_H
#define BOG_SIGN_QUINTIC_H

#include "goldilocks.h"

typedef struct bog_fp5 {
    bog_gl_t c[5];
} bog_fp5_t;

static const bog_fp5_t bog_fp5_zero = { { 0, 0, 0, 0, 0 } };
static const bog_fp5_t bog_fp5_one = { { 1, 0, 0, 0, 0 } };

static inline bog_fp5_t bog_fp5_add(bog_fp5_t a, bog_fp5_t b)
{
    for (int i = 0; i < 5; i++)
        a.c[i] = bog_gl_add(a.c[i], b.c[i]);
    return a;
}

static inline bog_fp5_t bog_fp5_sub(bog_fp5_t a, bog_fp5_t b)
{
    for (int i = 0; i < 5; i++)
        a.c[i] = bog_gl_sub(a.c[i], b.c[i]);
    return a;
}

static inline bog_fp5_t bog_fp5_neg(bog_fp5_t a)
{
    return bog_fp5_sub(bog_fp5_zero, a);
}

static inline bog_fp5_t bog_fp5_double(bog_fp5_t a)
{
    return bog_fp5_add(a, a);
}

/* A sum of products: value + top * 2^128. */
typedef struct bog_sum {
    bog_u128_t value;
    uint64_t top;
} bog_sum_t;

static inline void bog_sum_add(bog_sum_t *sum, uint64_t a, uint64_t b)
{
    sum->top += __builtin_add_overflow(sum->value, (bog_u128_t)a * b, &sum->value);
}

static inline bog_gl_t bog_sum_fold(bog_sum_t sum)
{
    return bog_gl_canonical(bog_gl_fold(sum.value, sum.top));
}

/* a0 b0 + ... + a4 b4 */
static inline bog_gl_t bog_gl_dot5(uint64_t a0, uint64_t b0, uint64_t a1, uint64_t b1, uint64_t a2,
                                   uint64_t b2, uint64_t a3, uint64_t b3, uint64_t a4, uint64_t b4)
{
    bog_sum_t sum = { (bog_u128_t)a0 * b0, 0 };
    bog_sum_add(&sum, a1, b1);
    bog_sum_add(&sum, a2, b2);
    bog_sum_add(&sum, a3, b3);
    bog_sum_add(&sum, a4, b4);
    return bog_sum_fold(sum);
}

static inline bog_gl_t bog_gl_dot3(uint64_t a0, uint64_t b0, uint64_t a1, uint64_t b1, uint64_t a2,
                                   uint64_t b2)
{
    bog_sum_t sum = { (bog_u128_t)a0 * b0, 0 };
    bog_sum_add(&sum, a1, b1);
    bog_sum_add(&sum, a2, b2);
    return bog_sum_fold(sum);
}

static inline bog_fp5_t bog_fp5_mul(bog_fp5_t a, bog_fp5_t b)
{
    const uint64_t *x = a.c, *y = b.c;
    uint64_t y31 = bog_gl_mul_lazy(3, y[1]), y32 = bog_gl_mul_lazy(3, y[2]),
             y33 = bog_gl_mul_lazy(3, y[3]), y34 = bog_gl_mul_lazy(3, y[4]);
    bog_fp5_t out;
    out.c[0] = bog_gl_dot5(x[0], y[0], x[1], y34, x[2], y33, x[3], y32, x[4], y31);
    out.c[1] = bog_gl_dot5(x[0], y[1], x[1], y[0], x[2], y34, x[3], y33, x[4], y32);
    out.c[2] = bog_gl_dot5(x[0], y[2], x[1], y[1], x[2], y[0], x[3], y34, x[4], y33);
    out.c[3] = bog_gl_dot5(x[0], y[3], x[1], y[2], x[2], y[1], x[3], y[0], x[4], y34);
    out.c[4] = bog_gl_dot5(x[0], y[4], x[1], y[3], x[2], y[2], x[3], y[1], x[4], y[0]);
    return out;
}

static inline bog_fp5_t bog_fp5_square(bog_fp5_t a)
{
    const uint64_t *x = a.c;
    uint64_t d0 = bog_gl_add(x[0], x[0]), d1 = bog_gl_add(x[1], x[1]);
    uint64_t x33 = bog_gl_canonical(bog_gl_mul_lazy(3, x[3]));
    uint64_t x34 = bog_gl_canonical(bog_gl_mul_lazy(3, x[4]));
    uint64_t x63 = bog_gl_add(x33, x33), x64 = bog_gl_add(x34, x34);
    bog_fp5_t out;
    out.c[0] = bog_gl_dot3(x[0], x[0], x[1], x64, x[2], x63);
    out.c[1] = bog_gl_dot3(d0, x[1], x[2], x64, x[3], x33);
    out.c[2] = bog_gl_dot3(d0, x[2], x[1], x[1], x[3], x64);
    out.c[3] = bog_gl_dot3(d0, x[3], d1, x[2], x[4], x34);
    out.c[4] = bog_gl_dot3(d0, x[4], d1, x[3], x[2], x[2]);
    return out;
}

static inline bog_fp5_t bog_fp5_scale(bog_fp5_t a, bog_gl_t by)
{
    for (int i = 0; i < 5; i++)
        a.c[i] = bog_gl_mul(a.c[i], by);
    return a;
}

/* a^(p^n), n = 1 or 2: limb i is scaled by 3^(i n (p - 1) / 5). */
static inline bog_fp5_t bog_fp5_frobenius(bog_fp5_t a, int n)
{
    static const bog_gl_t roots[5] = { 1, 1041288259238279555ULL, 15820824984080659046ULL,
                                       211587555138949697ULL, 1373043270956696022ULL };
    for (int i = 1; i < 5; i++)
        a.c[i] = bog_gl_mul(a.c[i], roots[i * n % 5]);
    return a;
}

/* Limb 0 of a * b, which is the whole product when that lies in the base field. */
static inline bog_gl_t bog_fp5_mul_to_base(bog_fp5_t a, bog_fp5_t b)
{
    return bog_gl_dot5(a.c[0], b.c[0], a.c[1], bog_gl_mul_lazy(3, b.c[4]), a.c[2],
                       bog_gl_mul_lazy(3, b.c[3]), a.c[3], bog_gl_mul_lazy(3, b.c[2]), a.c[4],
                       bog_gl_mul_lazy(3, b.c[1]));
}

/* Return a^(p + p^2 + p^3 + p^4): times a it is the norm, which lies in the base field. */
static inline bog_fp5_t bog_fp5_conjugates(bog_fp5_t a)
{
    bog_fp5_t one = bog_fp5_frobenius(a, 1);
    bog_fp5_t two = bog_fp5_mul(one, bog_fp5_frobenius(one, 1)); /* p + p^2 */
    return bog_fp5_mul(two, bog_fp5_frobenius(two, 2));
}

/* Return 1/a, and 0 for 0. */
static inline bog_fp5_t bog_fp5_inverse(bog_fp5_t a)
{
    bog_fp5_t rest = bog_fp5_conjugates(a);
    return bog_fp5_scale(rest, bog_gl_inverse(bog_fp5_mul_to_base(a, rest)));
}

/* All ones if a = b, else zero; no branch. */
static inline uint64_t bog_fp5_equal_mask(bog_fp5_t a, bog_fp5_t b)
{
    uint64_t differ = 0;
    for (int i = 0; i < 5; i++)
        differ |= a.c[i] ^ b.c[i];
    return bog_mask(1 ^ ((differ | (0 - differ)) >> 63));
}

static inline int bog_fp5_equal(bog_fp5_t a, bog_fp5_t b)
{
    return (int)(bog_fp5_equal_mask(a, b) & 1);
}

static inline int bog_fp5_is_zero(bog_fp5_t a)
{
    return bog_fp5_equal(a, bog_fp5_zero);
}

/* 1 if a is a square, 0 counted as one; the norm decides. Public values only. */
static inline int bog_fp5_is_square_public(bog_fp5_t a)
{
    bog_gl_t norm = bog_fp5_mul_to_base(a, bog_fp5_conjugates(a));
    return norm == 0 || bog_gl_pow(norm, (BOG_GL_P - 1) / 2) == 1;
}

/*
 * Put a square root of a in *root and return 1, or return 0 when there is none. Public values only.
 *
 * With e = a^((p + p^2 + p^3 + p^4) / 2) the norm is a e^2, so the root is sqrt(norm) / e. The
 * exponent is (p + p^3) * (p + 1) / 2, and (p + 1) / 2 = 2^63 - 2^31 + 1.
 */
static inline int bog_fp5_sqrt_public(bog_fp5_t a, bog_fp5_t *root)
{
    bog_fp5_t low, high, e;
    bog_gl_t norm, base;
    if (bog_fp5_is_zero(a)) {
        *root = a;
        return 1;
    }
    low = a;
    for (int i = 0; i < 31; i++)
        low = bog_fp5_square(low);
    high = low;
    for (int i = 0; i < 32; i++)
        high = bog_fp5_square(high);
    e = bog_fp5_mul(bog_fp5_mul(high, a), bog_fp5_inverse(low)); /* a^((p + 1) / 2) */
    e = bog_fp5_frobenius(e, 1);
    e = bog_fp5_mul(e, bog_fp5_frobenius(e, 2));
    norm = bog_fp5_mul_to_base(a, bog_fp5_square(e));
    base = bog_gl_sqrt_public(norm);
    *root = bog_fp5_scale(bog_fp5_inverse(e), base);
    return base != 0 && bog_fp5_equal(bog_fp5_square(*root), a);
}

/* Read 40 bytes; 0 when a limb is not canonical. */
static inline int bog_fp5_load(const uint8_t bytes[40], bog_fp5_t *out)
{
    uint64_t good = 1;
    for (int i = 0; i < 5; i++) {
        out->c[i] = bog_load64(bytes + 8 * i);
        good &= out->c[i] < BOG_GL_P;
    }
    return (int)good;
}

static inline void bog_fp5_store(bog_fp5_t a, uint8_t bytes[40])
{
    for (int i = 0; i < 5; i++)
        bog_store64(bytes + 8 * i, a.c[i]);
}

#endif
