/*
 * Pairs die as they must, with clocks that this program sets; built and run by tests/core.
 * Leaves with the line of the first check that does not hold.
 */
#define _GNU_SOURCE
#include <stdio.h>

#include "sign/signer.h"

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            printf("line %d: %s\n", __LINE__, #what);                                              \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

#define SECOND 1000000000LL

static bog_signer_t signer;

static int zero(const void *memory, size_t size)
{
    const uint8_t *bytes = memory;
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return 0;
    return 1;
}

static int sign_at(const bog_instant_t *now)
{
    uint8_t signature[BOG_SIGNATURE_BYTES];
    bog_fp5_t message = { { 1, 2, 3, 4, 5 } };
    bog_signature_t parts;
    int bad = bog_signer_message(&signer, message, now, signature);
    uint8_t m[40];
    bog_fp5_store(message, m);
    return bad || !bog_signature_load(signature, &parts) ||
           !bog_verify(signer.public_key, m, signature);
}

int main(void)
{
    uint8_t key[40] = { 9, 8, 7 };
    bog_instant_t now = { 1000 * SECOND, 500, 900, 1790000000 * SECOND, 3 };
    bog_sign_pick();
    CHECK(bog_signer_open(&signer, key, "/nonexistent", 8) == BOG_OPEN_OK);
    bog_vault_t *vault = signer.vault;
    vault->gap_low = 500, vault->gap_high = 900, vault->marker = 3;

    /* a pool that wraps around hands out the oldest first and erases what it handed out */
    CHECK(bog_pool_fill(vault, &now, 100) == 8);
    for (int turn = 0; turn < 20; turn++) {
        uint32_t at = vault->first;
        CHECK(sign_at(&now) == 0);
        CHECK(zero(&vault->pair[at], sizeof vault->pair[at]));
        CHECK(vault->count == 7);
        now.boot_ns += SECOND;
        CHECK(bog_pool_fill(vault, &now, 1) == 1);
    }
    CHECK(signer.slow_count == 0 && signer.died_count == 0);

    /* 60 s after it was made a pair is dead, one nanosecond before it is not */
    bog_pool_kill(vault);
    int64_t made = now.boot_ns;
    CHECK(bog_pool_fill(vault, &now, 2) == 2);
    now.boot_ns = made + 60 * SECOND - 1;
    CHECK(sign_at(&now) == 0 && signer.slow_count == 0 && vault->count == 1);
    now.boot_ns = made + 60 * SECOND;
    CHECK(sign_at(&now) == 0 && signer.slow_count == 1 && vault->count == 0);
    CHECK(signer.died_count == 1);
    CHECK(zero(vault->pair, sizeof vault->pair) && zero(&vault->slow, sizeof vault->slow));

    /* a boot clock that steps back makes them dead, too */
    CHECK(bog_pool_fill(vault, &now, 2) == 2);
    now.boot_ns -= 1;
    CHECK(bog_pool_tend(vault, &now) == 2 && vault->count == 0);

    /* readings that could be the same gap keep the pool; a nap of a microsecond kills it */
    CHECK(bog_pool_fill(vault, &now, 4) == 4);
    now.gap_low = 850, now.gap_high = 1200;
    CHECK(bog_pool_tend(vault, &now) == 0 && vault->count == 4);
    CHECK(vault->gap_low == 850 && vault->gap_high == 900);
    now.gap_low = 1901, now.gap_high = 2100;
    CHECK(bog_pool_tend(vault, &now) == 4 && vault->count == 0);
    CHECK(zero(vault->pair, sizeof vault->pair));
    CHECK(bog_pool_fill(vault, &now, 4) == 4);
    now.gap_low = 100, now.gap_high = 200;
    CHECK(bog_pool_tend(vault, &now) == 4);

    /* so does another marker of the hypervisor */
    CHECK(bog_pool_fill(vault, &now, 4) == 4);
    now.marker = 4;
    CHECK(bog_pool_tend(vault, &now) == 4 && vault->count == 0);
    CHECK(bog_pool_tend(vault, &now) == 0);

    /* a second caller is refused, and so is everyone once the key is gone */
    uint8_t hash[40];
    char out[BOG_TX_ROOM];
    size_t size;
    bog_tx_t tx = { .type = BOG_TX_CANCEL_ALL, .nonce = 1, .expired_at_ms = 1 };
    atomic_flag_test_and_set(&signer.busy);
    CHECK(bog_sign_tx(&signer, &tx, 0, out, sizeof out, &size, hash) == BOG_FAIL_BUSY);
    CHECK(bog_signer_fill(&signer, 4) == 0 && vault->count == 0);
    atomic_flag_clear(&signer.busy);
    CHECK(bog_sign_tx(&signer, &tx, 0, out, sizeof out - 1, &size, hash) == BOG_FAIL_ROOM);
    CHECK(bog_sign_tx(&signer, &tx, 0, out, sizeof out, &size, hash) == BOG_SIGN_OK);
    vault->alive = 0;
    CHECK(bog_sign_tx(&signer, &tx, 0, out, sizeof out, &size, hash) == BOG_FAIL_KEY);
    CHECK(signer.refused[BOG_FAIL_BUSY] == 1 && signer.refused[BOG_FAIL_KEY] == 1 &&
          signer.refused[BOG_FAIL_ROOM] == 1);

    /* two hedges of one key differ by the counter alone, and by the clock alone */
    bog_scalar_t first = bog_pair_hedge(vault, &now), second;
    vault->drawn++;
    second = bog_pair_hedge(vault, &now);
    CHECK(memcmp(&first, &second, sizeof first) != 0);
    vault->drawn--;
    now.boot_ns++;
    second = bog_pair_hedge(vault, &now);
    CHECK(memcmp(&first, &second, sizeof first) != 0);

    /* what is not below the order is drawn again; u = 0 is good as long as k is not 0 */
    memset(vault->scratch, 0xFF, sizeof vault->scratch);
    CHECK(!bog_pair_draw(vault, &now, &vault->slow));
    memcpy(vault->scratch, bog_scalar_order.w, 40);
    CHECK(!bog_pair_draw(vault, &now, &vault->slow));
    vault->scratch[0]--;
    CHECK(bog_pair_draw(vault, &now, &vault->slow));
    bog_scalar_t minus = bog_scalar_sub((bog_scalar_t){ { 0 } }, bog_pair_hedge(vault, &now));
    memcpy(vault->scratch, minus.w, 40);
    CHECK(!bog_pair_draw(vault, &now, &vault->slow));

    bog_signer_close(&signer);
    return 0;
}
