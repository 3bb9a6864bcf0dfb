/*
 * The permutation with AVX2: three vectors of four elements. Same values, same promises.
 *
 * AVX2 multiplies 32-bit halves and has no unsigned comparison, so a product is four halves and a
 * carry is a comparison of numbers whose top bit was turned. In a partial round only element 0 goes
 * through the S-box, in the integer unit, while the vectors multiply by the diagonal.
 */
#ifndef BOG_SIGN_POSEIDON2_AVX2_H
#define BOG_SIGN_POSEIDON2_AVX2_H

#include "poseidon2.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define BOG_AVX2 __attribute__((target("avx2,bmi2"))) static inline

/* All ones where a < b, as unsigned numbers. */
BOG_AVX2 __m256i bog_v_below(__m256i a, __m256i b)
{
    const __m256i top = _mm256_set1_epi64x(INT64_MIN);
    return _mm256_cmpgt_epi64(_mm256_xor_si256(b, top), _mm256_xor_si256(a, top));
}

/* lazy + small, where small is below 2^64 - 2^32: one carry at most. */
BOG_AVX2 __m256i bog_v_add(__m256i lazy, __m256i small)
{
    const __m256i epsilon = _mm256_set1_epi64x(BOG_GL_EPSILON);
    __m256i sum = _mm256_add_epi64(lazy, small);
    return _mm256_add_epi64(sum, _mm256_and_si256(bog_v_below(sum, small), epsilon));
}

/* high * 2^64 + low, lazy */
BOG_AVX2 __m256i bog_v_fold(__m256i high, __m256i low)
{
    const __m256i epsilon = _mm256_set1_epi64x(BOG_GL_EPSILON);
    __m256i top = _mm256_srli_epi64(high, 32), rest = _mm256_sub_epi64(low, top);
    rest = _mm256_sub_epi64(rest, _mm256_and_si256(bog_v_below(low, top), epsilon));
    return bog_v_add(rest, _mm256_mul_epu32(high, epsilon));
}

/* a * b, lazy */
BOG_AVX2 __m256i bog_v_mul(__m256i a, __m256i b)
{
    const __m256i epsilon = _mm256_set1_epi64x(BOG_GL_EPSILON);
    __m256i a_high = _mm256_srli_epi64(a, 32), b_high = _mm256_srli_epi64(b, 32);
    __m256i low = _mm256_mul_epu32(a, b), high = _mm256_mul_epu32(a_high, b_high);
    __m256i left = _mm256_mul_epu32(a_high, b), right = _mm256_mul_epu32(a, b_high);
    __m256i middle = _mm256_add_epi64(left, _mm256_srli_epi64(low, 32));
    __m256i carry = _mm256_add_epi64(right, _mm256_and_si256(middle, epsilon));
    high = _mm256_add_epi64(high, _mm256_srli_epi64(middle, 32));
    high = _mm256_add_epi64(high, _mm256_srli_epi64(carry, 32));
    low = _mm256_blend_epi32(low, _mm256_slli_epi64(carry, 32), 0xAA);
    return bog_v_fold(high, low);
}

/* a * a, lazy: the two middle products are one */
BOG_AVX2 __m256i bog_v_square(__m256i a)
{
    __m256i a_high = _mm256_srli_epi64(a, 32);
    __m256i low = _mm256_mul_epu32(a, a), high = _mm256_mul_epu32(a_high, a_high);
    __m256i cross = _mm256_mul_epu32(a_high, a);
    /* 2 * cross * 2^32 = (cross >> 31) * 2^64 + (cross << 33) */
    __m256i shifted = _mm256_slli_epi64(cross, 33), sum = _mm256_add_epi64(low, shifted);
    high = _mm256_add_epi64(high, _mm256_srli_epi64(cross, 31));
    return bog_v_fold(_mm256_sub_epi64(high, bog_v_below(sum, low)), sum);
}

BOG_AVX2 __m256i bog_v_sbox(__m256i x)
{
    __m256i x2 = bog_v_square(x), x3 = bog_v_mul(x2, x), x4 = bog_v_square(x2);
    return bog_v_mul(x3, x4);
}

/* The circulant (2 3 1 1) within a vector, on halves that cannot overflow. */
BOG_AVX2 __m256i bog_v_block(__m256i v)
{
    __m256i next = _mm256_permute4x64_epi64(v, 0x39); /* b c d a */
    __m256i pair = _mm256_add_epi64(v, next);         /* a+b b+c c+d d+a */
    __m256i all = _mm256_add_epi64(pair, _mm256_permute4x64_epi64(pair, 0x4E));
    return _mm256_add_epi64(all, _mm256_add_epi64(pair, next)); /* 2a + 3b + c + d, ... */
}

/* low + high * 2^32, both below 2^42, lazy */
BOG_AVX2 __m256i bog_v_join(__m256i low, __m256i high)
{
    const __m256i epsilon = _mm256_set1_epi64x(BOG_GL_EPSILON);
    __m256i over = _mm256_mul_epu32(_mm256_srli_epi64(high, 32), epsilon);
    return bog_v_add(_mm256_slli_epi64(high, 32), _mm256_add_epi64(low, over));
}

BOG_AVX2 void bog_v_external(__m256i v[3])
{
    const __m256i epsilon = _mm256_set1_epi64x(BOG_GL_EPSILON);
    __m256i low[3], high[3], lows, highs;
    for (int i = 0; i < 3; i++) {
        low[i] = bog_v_block(_mm256_and_si256(v[i], epsilon));
        high[i] = bog_v_block(_mm256_srli_epi64(v[i], 32));
    }
    lows = _mm256_add_epi64(_mm256_add_epi64(low[0], low[1]), low[2]);
    highs = _mm256_add_epi64(_mm256_add_epi64(high[0], high[1]), high[2]);
    for (int i = 0; i < 3; i++)
        v[i] = bog_v_join(_mm256_add_epi64(low[i], lows), _mm256_add_epi64(high[i], highs));
}

BOG_AVX2 void bog_v_full(__m256i v[3], int round)
{
    const __m256i *constants = (const __m256i *)bog_rounds_full[round];
    for (int i = 0; i < 3; i++)
        v[i] = bog_v_sbox(bog_v_add(v[i], _mm256_load_si256(constants + i)));
    bog_v_external(v);
}

/* The sum of eleven elements, all but number 0, as halves in one pair of words. */
BOG_AVX2 bog_u128_t bog_v_rest(const __m256i v[3])
{
    const __m256i epsilon = _mm256_set1_epi64x(BOG_GL_EPSILON);
    __m256i first = _mm256_blend_epi32(v[0], _mm256_setzero_si256(), 0x03);
    __m256i low = _mm256_and_si256(first, epsilon), high = _mm256_srli_epi64(first, 32);
    for (int i = 1; i < 3; i++) {
        low = _mm256_add_epi64(low, _mm256_and_si256(v[i], epsilon));
        high = _mm256_add_epi64(high, _mm256_srli_epi64(v[i], 32));
    }
    /* low halves in lanes 0 and 2, high halves in 1 and 3 */
    __m256i both =
        _mm256_add_epi64(_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high));
    __m128i sum = _mm_add_epi64(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    return ((bog_u128_t)(uint64_t)_mm_extract_epi64(sum, 1) << 32) +
           (uint64_t)_mm_cvtsi128_si64(sum);
}

__attribute__((target("avx2,bmi2"))) static void bog_permute_avx2(uint64_t s[BOG_HASH_WIDTH])
{
    const __m256i *diagonal = (const __m256i *)bog_diagonal;
    __m256i v[3];
    for (int i = 0; i < 3; i++)
        v[i] = _mm256_loadu_si256((const __m256i *)(s + 4 * i));
    bog_v_external(v);
    for (int round = 0; round < BOG_ROUNDS_FULL / 2; round++)
        bog_v_full(v, round);
    uint64_t zero = (uint64_t)_mm_cvtsi128_si64(_mm256_castsi256_si128(v[0]));
    for (int round = 0; round < BOG_ROUNDS_PARTIAL; round++) {
        bog_u128_t rest = bog_v_rest(v);
        zero = bog_sbox(bog_gl_add_lazy(zero, bog_rounds_partial[round]));
        __m256i total =
            _mm256_set1_epi64x((int64_t)bog_gl_canonical(bog_gl_fold_small(rest + zero)));
        /* diag * zero + total in one fold, off the way through the vectors; cannot overflow */
        zero = bog_gl_fold((bog_u128_t)zero * (bog_diagonal[0] + 1) + rest, 0);
        for (int i = 0; i < 3; i++)
            v[i] = bog_v_add(bog_v_mul(v[i], _mm256_load_si256(diagonal + i)), total);
    }
    v[0] = _mm256_blend_epi32(v[0], _mm256_set1_epi64x((int64_t)zero), 0x03);
    for (int round = BOG_ROUNDS_FULL / 2; round < BOG_ROUNDS_FULL; round++)
        bog_v_full(v, round);
    for (int i = 0; i < 3; i++)
        _mm256_storeu_si256((__m256i *)(s + 4 * i), v[i]);
    for (int i = 0; i < BOG_HASH_WIDTH; i++)
        s[i] = bog_gl_canonical(s[i]);
}
#endif

#endif
