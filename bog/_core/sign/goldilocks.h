/*
 * The Goldilocks field, integers modulo p = 2^64 - 2^32 + 1.
 *
 * An element is a uint64 below p (canonical) in every function whose name does not say `lazy`; a
 * lazy one may be any uint64. 2^64 = 2^32 - 1 and 2^96 = -1 modulo p, so a 128-bit product folds
 * into 64 bits with one subtraction, one multiplication by 2^32 - 1 and one addition. No function
 * here branches on, or indexes with, the value of an element.
 */
#ifndef BOG_SIGN_GOLDILOCKS_H
#define BOG_SIGN_GOLDILOCKS_H

#include <stdint.h>
#include <string.h>

typedef uint64_t bog_gl_t;
typedef unsigned __int128 bog_u128_t;

#define BOG_GL_P 0xFFFFFFFF00000001ULL
#define BOG_GL_EPSILON 0xFFFFFFFFULL /* 2^64 modulo p */

/* The same value, but the compiler cannot know it: keeps a mask a mask, never a branch. */
static inline uint64_t bog_opaque(uint64_t value)
{
    __asm__("" : "+r"(value));
    return value;
}

/* All ones if `bit` is 1, zero if it is 0. */
static inline uint64_t bog_mask(uint64_t bit)
{
    return bog_opaque(0 - bit);
}

/* Return a lazy value below p; right for any uint64 because 2p > 2^64. */
static inline bog_gl_t bog_gl_canonical(uint64_t lazy)
{
    uint64_t less, borrow = __builtin_sub_overflow(lazy, BOG_GL_P, &less);
    return less + (BOG_GL_P & bog_mask(borrow));
}

static inline bog_gl_t bog_gl_add(bog_gl_t a, bog_gl_t b)
{
    uint64_t sum, borrow = __builtin_sub_overflow(a, BOG_GL_P - b, &sum);
    return sum + (BOG_GL_P & bog_mask(borrow));
}

static inline bog_gl_t bog_gl_sub(bog_gl_t a, bog_gl_t b)
{
    uint64_t rest, borrow = __builtin_sub_overflow(a, b, &rest);
    return rest + (BOG_GL_P & bog_mask(borrow));
}

static inline bog_gl_t bog_gl_neg(bog_gl_t a)
{
    return bog_gl_sub(0, a);
}

/* Fold value + top * 2^128, top below 2^16, into a lazy 64 bits: 2^128 = -2^32 modulo p. */
static inline uint64_t bog_gl_fold(bog_u128_t value, uint64_t top)
{
    uint64_t low = (uint64_t)value, high = (uint64_t)(value >> 64), rest, sum;
    uint64_t minus = (top << 32) | (high >> 32);
    uint64_t borrow = __builtin_sub_overflow(low, minus, &rest);
    rest -= BOG_GL_EPSILON & bog_mask(borrow);
    uint64_t carry = __builtin_add_overflow(rest, (high & BOG_GL_EPSILON) * BOG_GL_EPSILON, &sum);
    return sum + (BOG_GL_EPSILON & bog_mask(carry));
}

static inline uint64_t bog_gl_mul_lazy(uint64_t a, uint64_t b)
{
    return bog_gl_fold((bog_u128_t)a * b, 0);
}

static inline bog_gl_t bog_gl_mul(bog_gl_t a, bog_gl_t b)
{
    return bog_gl_canonical(bog_gl_mul_lazy(a, b));
}

/* a^(2^n) */
static inline bog_gl_t bog_gl_squarings(bog_gl_t a, int n)
{
    for (int i = 0; i < n; i++)
        a = bog_gl_mul(a, a);
    return a;
}

/* a^e for a public exponent. */
static inline bog_gl_t bog_gl_pow(bog_gl_t a, uint64_t e)
{
    bog_gl_t out = 1;
    for (; e; e >>= 1) {
        if (e & 1)
            out = bog_gl_mul(out, a);
        a = bog_gl_mul(a, a);
    }
    return out;
}

/* Return 1/a, and 0 for 0: a^(p-2), whose exponent is 31 ones, a zero and 32 ones. */
static inline bog_gl_t bog_gl_inverse(bog_gl_t a)
{
    bog_gl_t x1 = a, x2, x3, x6, x12, x24, x30, x31;
    x2 = bog_gl_mul(bog_gl_squarings(x1, 1), x1);
    x3 = bog_gl_mul(bog_gl_squarings(x2, 1), x1);
    x6 = bog_gl_mul(bog_gl_squarings(x3, 3), x3);
    x12 = bog_gl_mul(bog_gl_squarings(x6, 6), x6);
    x24 = bog_gl_mul(bog_gl_squarings(x12, 12), x12);
    x30 = bog_gl_mul(bog_gl_squarings(x24, 6), x6);
    x31 = bog_gl_mul(bog_gl_squarings(x30, 1), x1);
    /* 31 ones, 0, 31 ones, then the last one */
    return bog_gl_mul(bog_gl_squarings(bog_gl_mul(bog_gl_squarings(x31, 32), x31), 1), x1);
}

/*
 * Return a square root of a, or 0 when there is none (and for 0). Public values only.
 *
 * Tonelli and Shanks: p - 1 = 2^32 * (2^32 - 1), and BOG_GL_ROOT32 = 7^(2^32 - 1) has order 2^32.
 */
#define BOG_GL_ROOT32 1753635133440165772ULL

static inline bog_gl_t bog_gl_sqrt_public(bog_gl_t a)
{
    bog_gl_t z = BOG_GL_ROOT32, half = bog_gl_pow(a, 0x7FFFFFFF); /* a^((odd - 1) / 2) */
    bog_gl_t root = bog_gl_mul(half, a), t = bog_gl_mul(root, half);
    int order = 32; /* z has order 2^order */
    if (a == 0)
        return 0;
    while (t != 1) {
        int i = 0;
        for (bog_gl_t x = t; x != 1 && i < order; x = bog_gl_mul(x, x))
            i++;
        if (i >= order)
            return 0;
        bog_gl_t step = bog_gl_squarings(z, order - i - 1);
        root = bog_gl_mul(root, step);
        z = bog_gl_mul(step, step);
        t = bog_gl_mul(t, z);
        order = i;
    }
    return root;
}

static inline uint64_t bog_load64(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline void bog_store64(uint8_t *bytes, uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    memcpy(bytes, &word, 8);
}

#endif
