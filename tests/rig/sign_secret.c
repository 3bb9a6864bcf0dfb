/*
 * Is the time of a signature free of the key and of k? Run under valgrind's memcheck.
 *
 * Secrets are marked uninitialized; memcheck then reports every branch and every address that
 * depends on one. What the protocol publishes (public key, commitment, signature) and whether
 * random numbers had to be drawn again is declared public where it becomes so. PLANT compiles a
 * branch on a bit of k, which must be reported. Argument: portable or fastest.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <valgrind/memcheck.h>

#define BOG_SIGN_DECLASSIFY(memory, size) (void)VALGRIND_MAKE_MEM_DEFINED(memory, size)
#include "sign/signer.h"

#define SECRET(memory, size) (void)VALGRIND_MAKE_MEM_UNDEFINED(memory, size)
#define PUBLIC(memory, size) BOG_SIGN_DECLASSIFY(memory, size)

int main(int argc, char **argv)
{
    static bog_signer_t signer;
    bog_instant_t now = { 1000, 0, 0, 1000, 0 };
    bog_fp5_t message = { { 1, 2, 3, 4, 5 } };
    uint8_t hex[80], m[40], bytes[BOG_SIGNATURE_BYTES];
    int good = RUNNING_ON_VALGRIND != 0;
    bog_sign_pick();
    if (argc > 1 && strcmp(argv[1], "portable") == 0)
        bog_permute = bog_permute_portable;
    printf("%s\n", bog_sign_path());
    good &= bog_signer_memory(&signer, "/nonexistent", 8) == BOG_OPEN_OK;
    bog_vault_t *vault = signer.vault;

    /* a key from its text */
    memcpy(hex, "0123456789abcdefABCDEF0123456789", 32);
    memcpy(hex + 32, "0000111122223333444455556666777788889999aaaabbbb", 48);
    hex[78] = '0', hex[79] = '1';
    SECRET(hex, sizeof hex);
    good &= bog_hex_read(hex, (uint8_t *)vault->scratch);
    good &= bog_signer_take_key(&signer) == BOG_OPEN_OK;
    PUBLIC(signer.public_key, sizeof signer.public_key);

    for (int turn = 0; turn < 4; turn++) {
        bog_pair_t *pair = &vault->pair[turn];
        for (int i = 0; i < 5; i++)
            vault->scratch[i] = 0x0123456789ABCDEFULL * (uint64_t)(turn + i + 1);
        SECRET(vault->scratch, 40);
        good &= bog_pair_draw(vault, &now, pair);
        pair->r = bog_mul_generator(pair->k);
        PUBLIC(&pair->r, sizeof pair->r);
#ifdef PLANT
        if (pair->k.w[0] & 1)
            printf("odd\n");
#endif
        bog_scalar_t e = bog_challenge(pair->r, message);
        bog_scalar_t s = bog_pair_spend(vault, pair, e);
        PUBLIC(&s, sizeof s);
        bog_signature_store(s, e, bytes);
        bog_fp5_store(message, m);
        good &= bog_verify(signer.public_key, m, bytes);
    }
    printf(good ? "signed\n" : "failed\n");
    return good ? 0 : 1;
}
