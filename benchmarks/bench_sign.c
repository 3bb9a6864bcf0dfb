/*
 * Prints the ns of each of N creates signed from the pool and, after a blank line, of N without it,
 * as the gateway calls the signer: hash, limits, signature and text. Built by bench_sign.py.
 */
#define _GNU_SOURCE
#include <stdio.h>

#include "sign/signer.h"

int main(int argc, char **argv)
{
    static bog_signer_t signer;
    static int64_t taken[BOG_PAIRS_MAX];
    uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 256;
    uint8_t key[40] = { 7, 1, 2 }, hash[40];
    char out[BOG_TX_ROOM];
    size_t size = 0;
    bog_tx_t tx = { .type = BOG_TX_CREATE,
                    .expired_at_ms = 1795361019101,
                    .order = { { 1, 42, 100, 643515, 0, 0, 2, 0, 0, 1795446820100 } } };
    bog_sign_pick();
    signer.who = (bog_tx_account_t){ 300, 123456, 4 };
    signer.policy.n_markets = 1;
    signer.policy.market[0] = (bog_policy_market_t){ 1, 1000, 1, 1000000 };
    signer.policy.daily_notional = INT64_MAX - 1;
    if (n > BOG_PAIRS_MAX || bog_signer_open(&signer, key, "/nonexistent", BOG_PAIRS_MAX))
        return 1;
    for (int pooled = 1; pooled >= 0; pooled--) {
        if (pooled && bog_signer_fill(&signer, n) != n)
            return 1;
        for (uint32_t i = 0; i < n; i++) {
            int64_t begin = bog_clock(CLOCK_MONOTONIC);
            tx.nonce++;
            if (bog_sign_tx(&signer, &tx, BOG_TEXT_JSON, out, sizeof out, &size, hash))
                return 1;
            taken[i] = bog_clock(CLOCK_MONOTONIC) - begin;
        }
        for (uint32_t i = 0; i < n; i++)
            printf("%lld\n", (long long)taken[i]);
        printf("\n");
    }
    return signer.signed_count == 2 * n && signer.slow_count == n ? 0 : 1;
}
