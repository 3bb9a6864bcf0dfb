/*
 * Scalars: integers modulo the prime order n of the curve, about 2^319; five 64-bit words, low
 * word first, always below n. Products are Montgomery's with R = 2^320. Constant time throughout.
 */
#ifndef BOG_SIGN_SCALAR_H
#define BOG_SIGN_SCALAR_H

#include "goldilocks.h"

typedef struct bog_scalar {
    uint64_t w[5];
} bog_scalar_t;

static const bog_scalar_t bog_scalar_order = { { 0xE80FD996948BFFE1ULL, 0xE8885C39D724A09CULL,
                                                 0x7FFFFFE6CFB80639ULL, 0x7FFFFFF100000016ULL,
                                                 0x7FFFFFFD80000007ULL } };
/* R^2 modulo n */
static const bog_scalar_t bog_scalar_r2 = { { 0xA01001DCE33DC739ULL, 0x6C3228D33F62ACCFULL,
                                              0xD1D796CC91CF8525ULL, 0xAADFFF5D1574C1D8ULL,
                                              0x4ACA13B28CA251F5ULL } };
#define BOG_SCALAR_N_INVERSE 0xD78BEF72057B7BDFULL /* -1/n modulo 2^64 */

/* *out = a - b modulo 2^320; return 1 if b was larger. */
static inline uint64_t bog_scalar_borrow(const uint64_t *a, const uint64_t *b, uint64_t *out)
{
    uint64_t borrow = 0;
    for (int i = 0; i < 5; i++) {
        bog_u128_t rest = (bog_u128_t)a[i] - b[i] - borrow;
        out[i] = (uint64_t)rest;
        borrow = (uint64_t)(rest >> 64) & 1;
    }
    return borrow;
}

/* Add n where the mask says so. */
static inline void bog_scalar_add_order(uint64_t *a, uint64_t mask)
{
    uint64_t carry = 0;
    for (int i = 0; i < 5; i++) {
        bog_u128_t sum = (bog_u128_t)a[i] + (bog_scalar_order.w[i] & mask) + carry;
        a[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
}

/* Subtract n once if that leaves no borrow: any value below 2n comes out below n. */
static inline void bog_scalar_reduce_once(uint64_t *a)
{
    uint64_t less[5];
    uint64_t borrow = bog_scalar_borrow(a, bog_scalar_order.w, less);
    memcpy(a, less, sizeof less);
    bog_scalar_add_order(a, bog_mask(borrow));
}

/* Any 320-bit number modulo n: 2^320 is below 3n. */
static inline bog_scalar_t bog_scalar_reduce(const uint64_t words[5])
{
    bog_scalar_t out;
    memcpy(out.w, words, sizeof out.w);
    bog_scalar_reduce_once(out.w);
    bog_scalar_reduce_once(out.w);
    return out;
}

/* n is below 2^319, so a sum of two scalars fits. */
static inline bog_scalar_t bog_scalar_add(bog_scalar_t a, bog_scalar_t b)
{
    uint64_t carry = 0;
    for (int i = 0; i < 5; i++) {
        bog_u128_t sum = (bog_u128_t)a.w[i] + b.w[i] + carry;
        a.w[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
    bog_scalar_reduce_once(a.w);
    return a;
}

static inline bog_scalar_t bog_scalar_sub(bog_scalar_t a, bog_scalar_t b)
{
    bog_scalar_t out;
    uint64_t borrow = bog_scalar_borrow(a.w, b.w, out.w);
    bog_scalar_add_order(out.w, bog_mask(borrow));
    return out;
}

/* a * b / R modulo n */
static inline bog_scalar_t bog_scalar_montgomery(bog_scalar_t a, bog_scalar_t b)
{
    uint64_t t[7] = { 0 };
    for (int i = 0; i < 5; i++) {
        uint64_t carry = 0, m;
        bog_u128_t sum;
        for (int j = 0; j < 5; j++) {
            sum = (bog_u128_t)a.w[j] * b.w[i] + t[j] + carry;
            t[j] = (uint64_t)sum;
            carry = (uint64_t)(sum >> 64);
        }
        t[5] += carry; /* t stays below 2n < 2^320, so there is no carry out of it */
        m = t[0] * BOG_SCALAR_N_INVERSE;
        carry = (uint64_t)(((bog_u128_t)m * bog_scalar_order.w[0] + t[0]) >> 64);
        for (int j = 1; j < 5; j++) {
            sum = (bog_u128_t)m * bog_scalar_order.w[j] + t[j] + carry;
            t[j - 1] = (uint64_t)sum;
            carry = (uint64_t)(sum >> 64);
        }
        sum = (bog_u128_t)t[5] + carry;
        t[4] = (uint64_t)sum;
        t[5] = (uint64_t)(sum >> 64);
    }
    bog_scalar_t out;
    memcpy(out.w, t, sizeof out.w);
    bog_scalar_reduce_once(out.w);
    return out;
}

/* a * R modulo n: a factor in this form makes a Montgomery product an ordinary one. */
static inline bog_scalar_t bog_scalar_to_montgomery(bog_scalar_t a)
{
    return bog_scalar_montgomery(a, bog_scalar_r2);
}

static inline bog_scalar_t bog_scalar_mul(bog_scalar_t a, bog_scalar_t b)
{
    return bog_scalar_montgomery(a, bog_scalar_to_montgomery(b));
}

static inline uint64_t bog_scalar_is_zero(bog_scalar_t a)
{
    uint64_t any = a.w[0] | a.w[1] | a.w[2] | a.w[3] | a.w[4];
    return 1 ^ ((any | (0 - any)) >> 63);
}

/* Read 40 bytes; 0 when the number is not below n. */
static inline int bog_scalar_load(const uint8_t bytes[40], bog_scalar_t *out)
{
    uint64_t less[5];
    for (int i = 0; i < 5; i++)
        out->w[i] = bog_load64(bytes + 8 * i);
    return (int)bog_scalar_borrow(out->w, bog_scalar_order.w, less);
}

static inline void bog_scalar_store(bog_scalar_t a, uint8_t bytes[40])
{
    for (int i = 0; i < 5; i++)
        bog_store64(bytes + 8 * i, a.w[i]);
}

/*
 * Write a as 64 signed digits of base 32, lowest first, each from -15 to 16. a is below 2^319, so
 * the last digit takes the last carry.
 */
#define BOG_DIGITS 64
#define BOG_DIGIT_MAX 16

static inline void bog_scalar_digits(bog_scalar_t a, int8_t digits[BOG_DIGITS])
{
    uint32_t carry = 0;
    for (int i = 0; i < BOG_DIGITS; i++) {
        int at = 5 * i, word = at / 64, shift = at % 64;
        uint64_t bits = a.w[word] >> shift;
        if (shift > 59 && word < 4)
            bits |= a.w[word + 1] << (64 - shift);
        uint32_t digit = (uint32_t)(bits & 31) + carry;
        carry = (BOG_DIGIT_MAX - digit) >> 31; /* 1 above 16 */
        digits[i] = (int8_t)(digit - (carry << 5));
    }
}

#endif
