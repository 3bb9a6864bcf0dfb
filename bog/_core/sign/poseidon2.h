/*
 * Poseidon2 over the Goldilocks field, width 12, rate 8, as the venue parametrizes it.
 *
 * Inside a permutation values are lazy; in and out they are canonical. Hashes overwrite the rate
 * with each chunk of up to eight elements and permute; there is no padding and no length, so the
 * caller fixes how many elements a hash has. No branch or index depends on a value.
 */
#ifndef BOG_SIGN_POSEIDON2_H
#define BOG_SIGN_POSEIDON2_H

#include <stddef.h>

#include "quintic.h"

#define BOG_HASH_WIDTH 12
#define BOG_HASH_RATE 8
#define BOG_ROUNDS_FULL 8
#define BOG_ROUNDS_PARTIAL 22

static const uint64_t bog_rounds_full[BOG_ROUNDS_FULL][BOG_HASH_WIDTH] __attribute__((
    aligned(32))) = {
    { 0xD70193D17AB3B7D6ULL, 0xA2C3662A78A9162BULL, 0x7A9FDA827556AD44ULL, 0xE8D5501818C99643ULL,
      0x4C7A8FCED4D5FD38ULL, 0x55AB38985C0C513DULL, 0x28A17BD016210B0BULL, 0x8F8277679EC32FA8ULL,
      0x768B3C3D68A460E9ULL, 0x872A022EB559D941ULL, 0xD1316DD4B3B97973ULL, 0xA7B608E578321000ULL },
    { 0x3FA02C87B0BEE026ULL, 0x7A38F0022E13C31EULL, 0x00C054F3C5E8D20DULL, 0x439F50F4BCA7242FULL,
      0x4D0938AA57CD517FULL, 0xB2E03AC5FB6B9A7DULL, 0xE29D1F4237BEDCA8ULL, 0x05B7C844BC99B848ULL,
      0x91CC0B73F34E17EDULL, 0x876E4427694BD755ULL, 0x67002AE0725C612DULL, 0x05351F20E0B6315FULL },
    { 0x2E3B9EF5457EB60BULL, 0xD9AC17618C3783DDULL, 0x0807528AD8874BCFULL, 0xC78D546A455D2A0EULL,
      0xF8B930C81E2481F0ULL, 0x712707D8DFF3B041ULL, 0xDCB8C0AA0B9D34C3ULL, 0x9BADDBDF2EE3A468ULL,
      0x2DD16D50C5176C78ULL, 0x89EAC5CFBC075CD3ULL, 0x2A741DEA181587F3ULL, 0x1A4D6AA85A113D84ULL },
    { 0x4D736286A2387E34ULL, 0x8BAD5DFC4FCB3EE3ULL, 0x84FBD03ADB77C56AULL, 0x8D5CDD1A23EC53A2ULL,
      0x036F08F08FFF28ECULL, 0xB717A3F4DBDFB443ULL, 0x58A074B5509D645CULL, 0xF92BF834E4B87718ULL,
      0x1541C3A0BAA5AC4BULL, 0x22149E6783E67692ULL, 0x9BE8B5D9E112476FULL, 0x41E0969F62BABB76ULL },
    { 0xBC585AD3B9443DBBULL, 0xF28DD3206975CBB1ULL, 0xDD8815E53CA045E0ULL, 0xDE82C416B9E701BAULL,
      0xC5CB875233AFA025ULL, 0x7212697CD897FFA9ULL, 0x67844790AA63CFD7ULL, 0xDC0B9CFA97FE65C3ULL,
      0xE8FE091869A82070ULL, 0x62902BB2E413C6D1ULL, 0x29F9F5001FB84F57ULL, 0xBE1014796EF5F8BEULL },
    { 0x71FEB53E9BDBA19CULL, 0x251054F592EBB71CULL, 0xE1A57643A4BB284BULL, 0xA4BA6F87A45B739BULL,
      0x2C1FCADE0B958C49ULL, 0xBBB424CDA9A3E360ULL, 0x2CA647354C5F3F54ULL, 0xC9277B64D152E084ULL,
      0xDBC9AC97445EFF17ULL, 0x6F6CDF3198969F70ULL, 0x1DE29D14FA76D8F1ULL, 0x73337458A8CC1D19ULL },
    { 0xB87E775E2FB3AB23ULL, 0xF166A1C7A565C80BULL, 0xB24BE06F426C747FULL, 0xC281E8C49482CE00ULL,
      0x51974C3B3B726C2DULL, 0x87444CF8CAF7D619ULL, 0x7C362F827A580CEDULL, 0x9567AF14667647A0ULL,
      0xCBF0473CBEC54E37ULL, 0xE3209DEDEFF4F620ULL, 0xD43AD94E45A4C4EEULL, 0x976981EE73F41768ULL },
    { 0xEF707A224E207258ULL, 0x2FC779E10E6362EEULL, 0x29B5EE60AD8C891FULL, 0x96B37B39D8BFD667ULL,
      0x877DF68A8B22E733ULL, 0x5C41746F562C8D9FULL, 0x0C9D76751052B71AULL, 0xFB3465341BF1C087ULL,
      0xA0D14DC614D15EB1ULL, 0xDC27D17136906FA6ULL, 0x482E163B05EC397FULL, 0x0273A462992366EFULL },
};
static const uint64_t bog_rounds_partial[BOG_ROUNDS_PARTIAL] = {
    0xA571418D95897B60ULL, 0x8F32676574FCF6D3ULL, 0x731102D4E3FB1BBEULL, 0x0330F08328A82D2BULL,
    0x7F0449B6557F785DULL, 0x62F06210658DCBCBULL, 0xD5A98AF9F89C458BULL, 0x77EC69083A346385ULL,
    0xEF7CA48BBC27F890ULL, 0x53E9652F61EAC532ULL, 0xA71C634ABFF4F0CCULL, 0xB16F5F0D7E28EA29ULL,
    0xC9DDE31D0A003AB2ULL, 0x2DDADF9775902533ULL, 0xE4FA73FB16408B47ULL, 0x90242EBC00D2EE59ULL,
    0xBB02DFFD9F381982ULL, 0xDEA328364C50907CULL, 0x1395D3B924857CF8ULL, 0x7D3EAD0D5AEC04E6ULL,
    0xC2F12BE3FED74668ULL, 0x0BA3C338F8C3D285ULL,
};
static const uint64_t bog_diagonal[BOG_HASH_WIDTH] __attribute__((aligned(32))) = {
    0xC3B6C08E23BA9300ULL, 0xD84B5DE94A324FB6ULL, 0x0D0C371C5B35B84FULL, 0x7964F570E7188037ULL,
    0x5DAF18BBD996604BULL, 0x6743BC47B9595257ULL, 0x5528B9362C59BB70ULL, 0xAC45E25B7127B68BULL,
    0xA2077D7DFBB606B5ULL, 0xF3FAAC6FAEE378AEULL, 0x0C6388B51545E883ULL, 0xD27DBB6944917B60ULL,
};

/* lazy + canonical, lazy */
static inline uint64_t bog_gl_add_lazy(uint64_t lazy, bog_gl_t canonical)
{
    uint64_t sum, carry = __builtin_add_overflow(lazy, canonical, &sum);
    return sum + (BOG_GL_EPSILON & bog_mask(carry));
}

/* A sum of a few lazy values, folded. */
static inline uint64_t bog_gl_fold_small(bog_u128_t sum)
{
    uint64_t out,
        carry = __builtin_add_overflow((uint64_t)sum, (uint64_t)(sum >> 64) * BOG_GL_EPSILON, &out);
    return out + (BOG_GL_EPSILON & bog_mask(carry));
}

/* x^7 */
static inline uint64_t bog_sbox(uint64_t x)
{
    uint64_t x2 = bog_gl_mul_lazy(x, x), x3 = bog_gl_mul_lazy(x2, x), x4 = bog_gl_mul_lazy(x2, x2);
    return bog_gl_mul_lazy(x3, x4);
}

static inline void bog_external_layer(uint64_t s[BOG_HASH_WIDTH])
{
    bog_u128_t m[BOG_HASH_WIDTH];
    for (int i = 0; i < BOG_HASH_WIDTH; i += 4) {
        bog_u128_t ab = (bog_u128_t)s[i] + s[i + 1], cd = (bog_u128_t)s[i + 2] + s[i + 3];
        bog_u128_t all = ab + cd;
        m[i] = all + ab + s[i + 1];                           /* 2a + 3b + c + d */
        m[i + 1] = all + s[i + 1] + 2 * (bog_u128_t)s[i + 2]; /* a + 2b + 3c + d */
        m[i + 2] = all + cd + s[i + 3];                       /* a + b + 2c + 3d */
        m[i + 3] = all + s[i + 3] + 2 * (bog_u128_t)s[i];     /* 3a + b + c + 2d */
    }
    for (int j = 0; j < 4; j++) {
        bog_u128_t column = m[j] + m[j + 4] + m[j + 8];
        for (int i = j; i < BOG_HASH_WIDTH; i += 4)
            s[i] = bog_gl_fold_small(m[i] + column);
    }
}

static inline void bog_full_round(uint64_t s[BOG_HASH_WIDTH], int round)
{
    for (int i = 0; i < BOG_HASH_WIDTH; i++)
        s[i] = bog_sbox(bog_gl_add_lazy(s[i], bog_rounds_full[round][i]));
    bog_external_layer(s);
}

static inline void bog_partial_round(uint64_t s[BOG_HASH_WIDTH], int round)
{
    bog_u128_t sum = 0;
    uint64_t total;
    for (int i = 1; i < BOG_HASH_WIDTH; i++)
        sum += s[i];
    s[0] = bog_sbox(bog_gl_add_lazy(s[0], bog_rounds_partial[round]));
    total = bog_gl_fold_small(sum + s[0]);
    for (int i = 0; i < BOG_HASH_WIDTH; i++)
        s[i] = bog_gl_fold((bog_u128_t)s[i] * bog_diagonal[i] + total, 0);
}

/* Right on any processor. */
static void bog_permute_portable(uint64_t s[BOG_HASH_WIDTH])
{
    bog_external_layer(s);
    for (int round = 0; round < BOG_ROUNDS_FULL / 2; round++)
        bog_full_round(s, round);
    for (int round = 0; round < BOG_ROUNDS_PARTIAL; round++)
        bog_partial_round(s, round);
    for (int round = BOG_ROUNDS_FULL / 2; round < BOG_ROUNDS_FULL; round++)
        bog_full_round(s, round);
    for (int i = 0; i < BOG_HASH_WIDTH; i++)
        s[i] = bog_gl_canonical(s[i]);
}

/* The permutation in use; bog_sign_pick() sets it once at load. */
static void (*bog_permute)(uint64_t s[BOG_HASH_WIDTH]) = bog_permute_portable;

/* Hash `n` canonical elements; `out` takes the first `width` of the state. */
static inline void bog_hash(const bog_gl_t *elements, size_t n, bog_gl_t *out, size_t width)
{
    uint64_t s[BOG_HASH_WIDTH] = { 0 };
    for (size_t at = 0; at < n; at += BOG_HASH_RATE) {
        size_t chunk = n - at < BOG_HASH_RATE ? n - at : BOG_HASH_RATE;
        memcpy(s, elements + at, chunk * sizeof *s);
        bog_permute(s);
    }
    memcpy(out, s, width * sizeof *s);
}

static inline bog_fp5_t bog_hash5(const bog_gl_t *elements, size_t n)
{
    bog_fp5_t out;
    bog_hash(elements, n, out.c, 5);
    return out;
}

#endif
