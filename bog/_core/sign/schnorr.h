/*
 * Schnorr signatures over ECgFp5 with Poseidon2.
 *
 * sk is a scalar, pk = encode(sk G). For message element m: r = encode(k G), e = hash5(r, m) read
 * as a 320-bit number modulo n, s = k - e sk. A signature is s, then e: 40 bytes each. It verifies
 * when s and e are below n, pk decodes, and hash5(encode(s G + e pk), m) gives e again.
 *
 * Who knows the k of one signature, or two signatures made with one k, knows the key.
 */
#ifndef BOG_SIGN_SCHNORR_H
#define BOG_SIGN_SCHNORR_H

#include "curve.h"
#include "poseidon2_avx2.h"

#define BOG_SIGNATURE_BYTES 80
#define BOG_ELEMENT_BYTES 40

/* Multiples of the generator; bog_sign_pick() makes them once at load. */
static bog_table_t bog_generator_table;

static inline bog_fp5_t bog_mul_generator(bog_scalar_t k)
{
    bog_point_t point = bog_table_mul(&bog_generator_table, k);
    return bog_point_encode(&point);
}

/* e for the commitment r and the message m. */
static inline bog_scalar_t bog_challenge(bog_fp5_t r, bog_fp5_t m)
{
    bog_gl_t elements[10];
    memcpy(elements, r.c, sizeof r.c);
    memcpy(elements + 5, m.c, sizeof m.c);
    return bog_scalar_reduce(bog_hash5(elements, 10).c);
}

/* s for k, challenge e and the key in Montgomery form. */
static inline bog_scalar_t bog_response(bog_scalar_t k, bog_scalar_t e, bog_scalar_t montgomery_key)
{
    return bog_scalar_sub(k, bog_scalar_montgomery(e, montgomery_key));
}

/* What a signature says, when its bytes are canonical. */
typedef struct bog_signature {
    bog_scalar_t s, e;
} bog_signature_t;

static inline int bog_signature_load(const uint8_t bytes[BOG_SIGNATURE_BYTES], bog_signature_t *out)
{
    int s = bog_scalar_load(bytes, &out->s), e = bog_scalar_load(bytes + 40, &out->e);
    return s & e;
}

static inline void bog_signature_store(bog_scalar_t s, bog_scalar_t e,
                                       uint8_t bytes[BOG_SIGNATURE_BYTES])
{
    bog_scalar_store(s, bytes);
    bog_scalar_store(e, bytes + 40);
}

/* 1 if e pk + s G gives the challenge e again; `e_pk` is e times the public key. */
static inline int bog_verify_with(const bog_point_t *e_pk, const bog_signature_t *signature,
                                  bog_fp5_t m)
{
    bog_point_t r = bog_table_mul(&bog_generator_table, signature->s);
    bog_scalar_t e;
    r = bog_point_add(&r, e_pk);
    e = bog_challenge(bog_point_encode(&r), m);
    return memcmp(&e, &signature->e, sizeof e) == 0;
}

/* 1 if the signature is the key's over m; 0 if not, or if any of the bytes is not canonical. */
static int bog_verify(const uint8_t pk[BOG_ELEMENT_BYTES], const uint8_t m[BOG_ELEMENT_BYTES],
                      const uint8_t signature[BOG_SIGNATURE_BYTES])
{
    bog_fp5_t key, message;
    bog_point_t point;
    bog_signature_t parts;
    if (!bog_fp5_load(pk, &key) || !bog_fp5_load(m, &message) ||
        !bog_signature_load(signature, &parts) || !bog_point_decode_public(key, &point) ||
        bog_fp5_is_zero(key))
        return 0;
    point = bog_point_mul_public(&point, parts.e);
    return bog_verify_with(&point, &parts, message);
}

/* The same with a table of the key's multiples: for many signatures of one key. */
static int bog_verify_by_table(const bog_table_t *key, const uint8_t m[BOG_ELEMENT_BYTES],
                               const uint8_t signature[BOG_SIGNATURE_BYTES])
{
    bog_fp5_t message;
    bog_point_t point;
    bog_signature_t parts;
    if (!bog_fp5_load(m, &message) || !bog_signature_load(signature, &parts))
        return 0;
    point = bog_table_mul(key, parts.e);
    return bog_verify_with(&point, &parts, message);
}

/* Called once at load, before anything else here: multiples of the generator, fastest hash. */
static inline void bog_sign_pick(void)
{
    bog_table_make(&bog_generator_table, &bog_generator);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        bog_permute = bog_permute_avx2;
#endif
}

/* The name of the code that runs the permutation. */
static inline const char *bog_sign_path(void)
{
    return bog_permute == bog_permute_portable ? "portable" : "avx2";
}

#endif
