/*
 * Random numbers of the built-in market: integers only, the same on every machine.
 *
 * splitmix64 (Vigna 2015) of seed and stream number seeds one xoshiro256** (Blackman, Vigna 2018)
 * per stream, so that a change in one part of the model leaves the draws of the others alone.
 */
#ifndef BOG_RNG_H
#define BOG_RNG_H

#include <stdint.h>

#include "market_tables.h"

typedef struct bog_rng {
    uint64_t s[4];
} bog_rng_t;

static inline uint64_t bog_splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

static inline void bog_rng_seed(bog_rng_t *rng, uint64_t seed, uint64_t stream)
{
    uint64_t state = bog_splitmix(&seed) + stream;
    for (int i = 0; i < 4; i++)
        rng->s[i] = bog_splitmix(&state);
}

static inline uint64_t bog_rng_next(bog_rng_t *rng)
{
    uint64_t *s = rng->s, x = s[1] * 5, out = ((x << 7) | (x >> 57)) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return out;
}

/* Uniform over 0 .. 2^32 - 1. */
static inline uint32_t bog_rng_u32(bog_rng_t *rng)
{
    return (uint32_t)(bog_rng_next(rng) >> 32);
}

/* Uniform over 0 .. n - 1, 0 < n < 2^63; the bias is below n / 2^64. */
static inline int64_t bog_rng_below(bog_rng_t *rng, int64_t n)
{
    return (int64_t)(((unsigned __int128)bog_rng_next(rng) * (uint64_t)n) >> 64);
}

/* A point of a table of 1025 at a uniform place, with straight lines between: Q16. */
static inline int64_t bog_rng_table(bog_rng_t *rng, const int32_t *table)
{
    uint32_t u = bog_rng_u32(rng), i = u >> 22;
    int64_t rest = u & 0x3FFFFF;
    return table[i] + (((int64_t)(table[i + 1] - table[i]) * rest + (1 << 21)) >> 22);
}

/* Standard normal, Q16. */
static inline int64_t bog_rng_normal(bog_rng_t *rng)
{
    return bog_rng_table(rng, bog_normal);
}

/* Exponential of mean 1, Q16. */
static inline int64_t bog_rng_exponential(bog_rng_t *rng)
{
    return bog_rng_table(rng, bog_exponential);
}

/* value x 2^(power / 65536), rounded down; |power| below 40 x 65536 and the result must fit. */
static inline int64_t bog_exp2_of(int64_t value, int64_t power)
{
    int64_t whole = power >> 16, rest = power & 0xFFFF, i = rest >> 6;
    int64_t part = bog_exp2[i] + (((bog_exp2[i + 1] - bog_exp2[i]) * (rest & 63)) >> 6);
    __int128 out = (__int128)value * part;
    return (int64_t)(whole >= 16 ? out << (whole - 16) : out >> (16 - whole));
}

/* Lognormal: median x 2^(sigma2 z), where sigma2 = sigma of the logarithm x log2(e), Q16. */
static inline int64_t bog_rng_lognormal(bog_rng_t *rng, int64_t median, int64_t sigma2)
{
    return bog_exp2_of(median, (bog_rng_normal(rng) * sigma2) >> 16);
}

#endif
