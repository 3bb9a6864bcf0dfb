/*
 * Random work for the signer's readers and writers, for a sanitizer build: sign_fuzz RUNS [SEED].
 *
 * Every run checks one thing against what is known otherwise: arithmetic against __int128, decoded
 * points against their encoding, forged signatures against refusal, transactions against their two
 * texts and against the limits. Leaves with 1 and the seed at the first difference.
 */
#define _GNU_SOURCE
#include <stdio.h>

#include "sign/signer.h"

static uint64_t state;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545F4914F6CDD1DULL;
}

static uint64_t below(uint64_t n)
{
    return next() % n;
}

/* Numbers at the edges more often than not. */
static uint64_t number(void)
{
    static const uint64_t edge[] = { 0,
                                     1,
                                     2,
                                     254,
                                     255,
                                     256,
                                     2047,
                                     2048,
                                     4094,
                                     4095,
                                     0xFFFFFFFF,
                                     0x100000000,
                                     0xFFFFFFFFFFFF,
                                     0x1000000000000,
                                     BOG_GL_P - 1,
                                     BOG_GL_P,
                                     BOG_GL_P + 1,
                                     INT64_MAX,
                                     UINT64_MAX };
    switch (below(4)) {
    case 0:
        return edge[below(sizeof edge / sizeof *edge)];
    case 1:
        return below(10);
    default:
        return next() >> below(64);
    }
}

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            printf("sign_fuzz: line %d: %s\n", __LINE__, #what);                                   \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static bog_signer_t signer;
static uint64_t signatures, decoded, valid;

static int arithmetic(void)
{
    uint64_t a = number(), b = number(), top = below(16);
    bog_u128_t wide = (bog_u128_t)number() << 64 | number();
    uint64_t expected = (uint64_t)((wide % BOG_GL_P + (((bog_u128_t)1 << 96) % BOG_GL_P) *
                                                          (((bog_u128_t)top << 32) % BOG_GL_P)) %
                                   BOG_GL_P);
    CHECK(bog_gl_canonical(bog_gl_fold(wide, top)) == expected);
    CHECK(bog_gl_canonical(bog_gl_mul_lazy(a, b)) == (uint64_t)((bog_u128_t)a * b % BOG_GL_P));
    return 0;
}

static int permutations(void)
{
    uint64_t one[BOG_HASH_WIDTH], two[BOG_HASH_WIDTH];
    for (int i = 0; i < BOG_HASH_WIDTH; i++)
        one[i] = two[i] = bog_gl_canonical(number());
    bog_permute_portable(one);
    bog_permute(two);
    CHECK(memcmp(one, two, sizeof one) == 0);
    return 0;
}

static int points(void)
{
    uint8_t bytes[40], back[40];
    bog_fp5_t w;
    bog_point_t point;
    for (int i = 0; i < 5; i++)
        bog_store64(bytes + 8 * i, number());
    if (!bog_fp5_load(bytes, &w))
        return 0;
    if (bog_point_decode_public(w, &point)) {
        decoded++;
        bog_fp5_store(bog_point_encode(&point), back);
        CHECK(memcmp(bytes, back, 40) == 0);
    }
    return 0;
}

static int forgeries(void)
{
    uint8_t m[40], bytes[80];
    for (int i = 0; i < 5; i++)
        bog_store64(m + 8 * i, number());
    for (int i = 0; i < 10; i++)
        bog_store64(bytes + 8 * i, number());
    CHECK(!bog_verify(signer.public_key, m, bytes));
    return 0;
}

static int keys(void)
{
    uint8_t text[80], key[40], again[80];
    int hex = 1;
    for (int i = 0; i < 80; i++) {
        text[i] = (uint8_t)(below(50) ? "0123456789abcdefABCDEF"[below(22)] : below(256));
        hex &=
            (text[i] >= '0' && text[i] <= '9') || ((text[i] | 32) >= 'a' && (text[i] | 32) <= 'f');
    }
    CHECK(bog_hex_read(text, key) == hex);
    if (hex) {
        bog_put_hex(key, 40, (char *)again);
        for (int i = 0; i < 80; i++)
            CHECK(again[i] == (text[i] >= 'A' && text[i] <= 'F' ? text[i] | 32 : text[i]));
    }
    return 0;
}

static void random_order(bog_tx_order_t *o)
{
    int64_t *fields = (int64_t *)o;
    for (size_t i = 0; i < sizeof *o / sizeof *fields; i++)
        fields[i] = (int64_t)number();
    if (below(4)) { /* mostly one that could be */
        *o = (bog_tx_order_t){ (int64_t)below(3),
                               (int64_t)below(BOG_UINT48),
                               (int64_t)below(2000),
                               (int64_t)below(2000),
                               (int64_t)below(2),
                               (int64_t)below(7),
                               (int64_t)below(3),
                               (int64_t)below(2),
                               0,
                               0 };
        if (o->type >= 2 && o->type <= 5)
            o->trigger_px = 1 + (int64_t)below(2000);
        if (o->time_in_force || o->trigger_px)
            o->expiry_ms = BOG_UINT48;
    }
}

static void random_tx(bog_tx_t *tx)
{
    static const uint8_t types[] = { 14, 14, 14, 15, 16, 17, 20, 28, 28 };
    memset(tx, 0, sizeof *tx);
    tx->type = below(20) ? types[below(sizeof types)] : (int64_t)number();
    tx->nonce = (int64_t)(below(8) ? below(BOG_UINT48) : number());
    tx->expired_at_ms = (int64_t)(below(8) ? below(BOG_UINT48) : number());
    tx->index = (int64_t)number();
    tx->time_in_force = (int64_t)below(4);
    tx->time_ms = tx->time_in_force == 1 ? (int64_t)below(BOG_UINT48) : (int64_t)below(2);
    tx->margin_fraction = (int64_t)number();
    tx->margin_mode = (int64_t)below(3);
    tx->grouping = (int64_t)below(5);
    tx->n_orders = tx->grouping == 3 ? 3 : below(10) ? 2 : (int64_t)number();
    for (int i = 0; i < BOG_TX_ORDERS; i++) {
        random_order(&tx->order[i]);
        if (tx->type == 28 && below(10)) {
            tx->order[i].market = tx->order[0].market;
            if (i && tx->grouping != 2)
                tx->order[i].size = 0, tx->order[i].reduce_only = 1;
        }
    }
    tx->n_attributes = below(2) ? 0 : below(30) ? (int64_t)below(5) : (int64_t)number();
    for (int i = 0, at = 0; i < BOG_TX_ATTRIBUTES; i++) {
        at += 1 + (int)below(3);
        tx->attribute[i] = (bog_tx_attribute_t){ at, (int64_t)(below(2) ? below(2) : number()) };
    }
}

/* Undo percent-encoding in place; the length, or 0 when it is none. */
static size_t decode_form(char *text, size_t n)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        int value = (unsigned char)text[i];
        if (value == '%') {
            char hex[3] = { text[i + 1], text[i + 2], 0 }, *end;
            value = (int)strtol(hex, &end, 16);
            if (*end || i + 2 >= n)
                return 0;
            i += 2;
        } else if (strchr("{}[]\",:+/", value)) {
            return 0; /* must have been encoded */
        }
        text[out++] = (char)value;
    }
    return out;
}

static int texts(void)
{
    static const char prefix[] = "tx_type=", middle[] = "&tx_info=",
                      tail[] = "&price_protection=true";
    uint8_t signature[BOG_SIGNATURE_BYTES];
    char *json, *form, *from;
    size_t n_json, n_form, n;
    bog_tx_t tx;
    random_tx(&tx);
    if (bog_tx_check(&tx))
        return 0;
    valid++;
    for (int i = 0; i < 10; i++)
        bog_store64(signature + 8 * i, below(4) ? next() : UINT64_MAX);
    json = malloc(BOG_TX_ROOM); /* so that the sanitizer sees its end */
    form = malloc(BOG_TX_ROOM);
    n_json = bog_tx_write(&signer.who, &tx, signature, BOG_TEXT_JSON, json);
    n_form = bog_tx_write(&signer.who, &tx, signature, BOG_TEXT_FORM, form);
    CHECK(n_json <= BOG_TX_ROOM && n_form <= BOG_TX_ROOM);
    CHECK(memcmp(form, prefix, sizeof prefix - 1) == 0);
    from = memmem(form, n_form, middle, sizeof middle - 1);
    CHECK(from && memcmp(form + n_form - (sizeof tail - 1), tail, sizeof tail - 1) == 0);
    from += sizeof middle - 1;
    n = decode_form(from, (size_t)(form + n_form - (sizeof tail - 1) - from));
    CHECK(n == n_json && memcmp(from, json, n) == 0);
    free(json);
    free(form);
    return 0;
}

/* Nothing outside the limits is ever signed, and what is signed verifies. */
static int policies(void)
{
    char out[BOG_TX_ROOM];
    uint8_t hash[40];
    size_t size = 0;
    bog_policy_t *p = &signer.policy;
    bog_tx_t tx;
    int64_t spent;
    random_tx(&tx);
    p->n_markets = 1 + (int64_t)below(2);
    for (int i = 0; i < 2; i++)
        p->market[i] = (bog_policy_market_t){ (int64_t)below(3), (int64_t)below(2000),
                                              (int64_t)below(1000), 500 + (int64_t)below(2000) };
    p->daily_notional = (int64_t)(below(2) ? below(4000000) : number() >> 1);
    p->min_margin_fraction = (int64_t)below(10002);
    spent = p->spent = (int64_t)below(2) * (int64_t)below(1000000);
    p->day = bog_clock(CLOCK_REALTIME) / 1000000000 / BOG_DAY_S; /* else a new day clears spent */
    bog_signer_fill(&signer, 1);
    if (bog_sign_tx(&signer, &tx, (int)below(2), out, sizeof out, &size, hash))
        return p->spent != spent;
    signatures++;
    CHECK(tx.type == 14 || tx.type == 15 || tx.type == 16 || tx.type == 17 || tx.type == 20 ||
          tx.type == 28);
    if (tx.type == 15 || tx.type == 16)
        return 0;
    int64_t sum = 0;
    int reducing = 1;
    for (int i = 0; i < (tx.type == 28 ? tx.n_orders : 1); i++) {
        const bog_tx_order_t *o = &tx.order[i];
        const bog_policy_market_t *m = NULL;
        for (int j = 0; j < p->n_markets && !m; j++)
            if (p->market[j].market == o->market)
                m = &p->market[j];
        CHECK(m);
        if (tx.type == 20) {
            CHECK(tx.margin_fraction >= p->min_margin_fraction);
            continue;
        }
        CHECK(o->size <= m->max_size && o->px >= m->min_px && o->px <= m->max_px);
        sum += o->size * o->px;
        reducing &= o->reduce_only && tx.type != 17;
    }
    CHECK(p->spent == spent + sum || tx.type == 20);
    CHECK(tx.type == 20 || reducing || p->spent <= p->daily_notional);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t runs = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 20261122;
    uint8_t key[40] = { 1, 2, 3 };
    int64_t begin = bog_clock(CLOCK_MONOTONIC);
    bog_sign_pick();
    signer.who = (bog_tx_account_t){ 304, BOG_UINT48 - 1, 254 };
    if (bog_signer_open(&signer, key, "/nonexistent", 4)) {
        printf("sign_fuzz: no locked memory\n");
        return 1;
    }
    state = seed * 2 + 1;
    for (uint64_t run = 0; run < runs; run++) {
        uint64_t which = below(4096);
        int bad = which < 4      ? forgeries()
                  : which < 12   ? policies()
                  : which < 24   ? points()
                  : which < 200  ? permutations()
                  : which < 900  ? keys()
                  : which < 2000 ? arithmetic()
                                 : texts();
        if (bad) {
            printf("sign_fuzz: run %llu of seed %llu\n", (unsigned long long)run,
                   (unsigned long long)seed);
            return 1;
        }
    }
    printf("sign_fuzz: %llu runs in %.1f s: %llu transactions, %llu signatures, %llu points\n",
           (unsigned long long)runs, (double)(bog_clock(CLOCK_MONOTONIC) - begin) / 1e9,
           (unsigned long long)valid, (unsigned long long)signatures, (unsigned long long)decoded);
    bog_signer_close(&signer);
    return valid && signatures && decoded ? 0 : 1;
}
