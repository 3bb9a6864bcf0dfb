/*
 * Frames whose rows are known, in every spelling that JSON allows: white space, order of keys,
 * numbers bare or as text, zeros behind, exponents, fields that nobody reads. One in four is spoilt
 * in a way that has to be refused.
 */
#ifndef BOG_FUZZ_GENERATE_H
#define BOG_FUZZ_GENERATE_H

#include "fuzz.h"

enum spoil { SOUND, OFF_TICK, NEGATIVE, TWICE, ABSENT, TOO_BIG, SPOILS };

static const char *const notes[] = {
    "\"note\":null",
    "\"note\":[1,[2,{\"a\":-0.5e-3}]]",
    "\"\":true",
    "\"note\":{\"n\\u006f\":\"\"}",
    "\"note\":\"\xc3\xa9\\ud83d\"",
    "\"price2\":\"1\"",
};

static void gap(fuzz_text_t *t, bog_rng_t *rng)
{
    if (below(rng, 8) == 0)
        put(t, " \n\t\r  " + below(rng, 4), (size_t)below(rng, 3));
}

/* A count of 10**-decimals in one of its spellings; `spoil` may make it a wrong one. */
static void number(fuzz_text_t *t, bog_rng_t *rng, int64_t value, int decimals, enum spoil spoil)
{
    char digits[40];
    int quoted = below(rng, 4) != 0, style = (int)below(rng, 8);
    int n = snprintf(digits, sizeof(digits), "%0*lld", decimals + 1, (long long)value);
    put(t, "\"", (size_t)quoted);
    if (spoil == NEGATIVE)
        put(t, "-", 1);
    if (style == 0) {
        /* an exponent: the digits of the count with the point pushed, none of them lost */
        say(t, "%lld%se-%d", (long long)value, spoil == OFF_TICK ? ".5" : "", decimals);
    } else if (style == 1 && spoil != OFF_TICK) {
        say(t, "%.*s.%s000E+0", n - decimals, digits, digits + n - decimals);
    } else {
        put(t, digits, (size_t)(n - decimals));
        if (decimals || spoil == OFF_TICK) {
            say(t, ".%s%s", digits + n - decimals, spoil == OFF_TICK ? "01" : "");
        }
        if (style == 2 && spoil != OFF_TICK)
            put(t, decimals ? "000000000000000" : ".0", decimals ? (size_t)below(rng, 15) : 2);
    }
    put(t, "\"", (size_t)quoted);
}

static int64_t amount(bog_rng_t *rng, int64_t low, int64_t high)
{
    int64_t top = 1LL << (1 + below(rng, 48));
    int64_t value = low + below(rng, top < high - low ? top : high - low);
    return below(rng, 64) == 0 ? high - 1 : value;
}

/* Write the members, in any order, with what nobody reads between them. */
static void object(fuzz_text_t *t, bog_rng_t *rng, fuzz_text_t *parts, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int64_t k = below(rng, i + 1);
        fuzz_text_t other = parts[i];
        parts[i] = parts[k];
        parts[k] = other;
    }
    put(t, "{", 1);
    for (int i = 0; i < n; i++) {
        if (i)
            put(t, ",", 1);
        gap(t, rng);
        put(t, parts[i].s, parts[i].n);
        gap(t, rng);
        if (below(rng, 16) == 0)
            say(t, ",%s", notes[below(rng, 6)]);
    }
    put(t, "}", 1);
}

static char generate_room[8][FUZZ_TEXT / 16];

static fuzz_text_t part(int i, const char *name)
{
    fuzz_text_t t = { generate_room[i], 0 };
    say(&t, "\"%s\":", name);
    return t;
}

static void expect(fuzz_case_t *c, int kind, int side, int64_t px, int64_t qty, int64_t id)
{
    bog_row_t *row = c->rows + c->n++;
    memset(row, 0, sizeof(*row));
    row->kind = (uint8_t)kind;
    row->side = (uint8_t)side;
    row->px = px;
    row->qty = qty;
    row->id = id;
}

/* One level or print; returns whether it is the spoilt one. */
static void pair(fuzz_text_t *t, bog_rng_t *rng, const fuzz_case_t *c, int64_t px, int64_t qty,
                 enum spoil spoil)
{
    int on_price = (int)below(rng, 2);
    int price = spoil == OFF_TICK || spoil == NEGATIVE ? on_price : 0;
    fuzz_text_t parts[2] = { part(6, "price"), part(7, "size") };
    if (spoil == TOO_BIG)
        *(on_price ? &px : &qty) =
            on_price ? BOG_PX_MAX + below(rng, 1LL << 50) : BOG_QTY_MAX + below(rng, 1LL << 58);
    number(&parts[0], rng, px, c->price_decimals, price ? spoil : SOUND);
    /* a size of -0 is no negative number */
    if (spoil == NEGATIVE && !price && qty == 0)
        qty = 1;
    number(&parts[1], rng, qty, c->size_decimals,
           !price && (spoil == OFF_TICK || spoil == NEGATIVE) ? spoil : SOUND);
    if (spoil == ABSENT)
        parts[0] = parts[1];
    if (spoil == TWICE) {
        size_t n = parts[0].n;
        put(&parts[0], ",", 1);
        put(&parts[0], parts[0].s, n);
    }
    object(t, rng, parts, spoil == ABSENT ? 1 : 2);
}

static const int refusal[SPOILS] = {
    0, BOG_BAD_DECIMALS, BOG_BAD_RANGE, BOG_BAD_DUPLICATE, BOG_BAD_MISSING, BOG_BAD_RANGE
};

/* Let a sound update meet another state than the one it follows: what it then gives is known, too. */
static void stand(fuzz_case_t *c, bog_rng_t *rng, int nonces, int64_t id)
{
    int64_t before = c->last;
    switch (below(rng, 8)) {
    case 0: /* a duplicate, or an older one */
        c->last = id + below(rng, 3);
        c->n = 0;
        return;
    case 1: /* messages are missing */
        c->last = before - 1 - below(rng, 3);
        if (c->last < 0)
            c->last = 0;
        if (c->last == before)
            return;
        c->n = 0;
        expect(c, BOG_ROW_STATUS, 0, BOG_STATUS_GAP, 0, id);
        return;
    case 2: /* no book yet */
        c->chain = BOG_CHAIN_NONE;
        c->n = 0;
        return;
    case 3: /* a snapshot of the other form */
        c->chain = nonces ? BOG_CHAIN_OFFSET : BOG_CHAIN_NONCE;
        c->known = -1;
        c->error = BOG_BAD_CHAIN;
        return;
    default:
        return;
    }
}

/* A book frame that continues the chain, or a snapshot. */
static void generate_book(fuzz_case_t *c, bog_rng_t *rng)
{
    int snapshot = (int)below(rng, 3) == 0, nonces = (int)below(rng, 2);
    int64_t most = below(rng, 64) == 0 ? 200 : 7, spoilt = -1, at = 0;
    int64_t n[2] = { below(rng, most), below(rng, most) };
    int64_t us = 1 + below(rng, 1LL << 51);
    enum spoil spoil = below(rng, 4) || n[0] + n[1] == 0 ? SOUND : 1 + below(rng, SPOILS - 1);
    fuzz_text_t book[4], frame[4];
    if (spoil)
        spoilt = below(rng, n[0] + n[1]);
    c->chain = nonces ? BOG_CHAIN_NONCE : BOG_CHAIN_OFFSET;
    c->last = below(rng, 1LL << (1 + below(rng, 61)));
    int64_t id = c->last + 1 + (nonces ? below(rng, 1000) : 0);
    if (snapshot) {
        c->chain = (int32_t)below(rng, 3);
        expect(c, BOG_ROW_RESET, 0, 0, 0, id);
    }
    for (int side = 0; side < 2; side++) {
        book[side] = part(side, side == BOG_BID ? "bids" : "asks");
        if (n[side] == 0 && below(rng, 4) == 0) {
            say(&book[side], "null");
            continue;
        }
        put(&book[side], "[", 1);
        for (int64_t i = 0; i < n[side]; i++, at++) {
            int64_t px = amount(rng, 1, BOG_PX_MAX);
            int64_t qty = below(rng, 3) ? amount(rng, 0, BOG_QTY_MAX) : 0;
            put(&book[side], ",", (size_t)(i > 0));
            gap(&book[side], rng);
            pair(&book[side], rng, c, px, qty, at == spoilt ? spoil : SOUND);
            expect(c, BOG_ROW_LEVEL, side, px, qty, id);
        }
        put(&book[side], "]", 1);
    }
    book[2] = part(2, nonces ? "nonce" : "offset");
    say(&book[2], "%lld", (long long)id);
    book[3] = part(3, "begin_nonce");
    say(&book[3], "%lld", snapshot ? 0LL : (long long)c->last);
    frame[0] = part(4, "order_book");
    object(&frame[0], rng, book, nonces ? 4 : 3);
    frame[1] = part(0, "type");
    say(&frame[1], "\"%s/order_book\"", snapshot ? "subscribed" : "update");
    frame[2] = part(1, "channel");
    say(&frame[2], "\"order_book:%u\"", c->market);
    frame[3] = part(2, "last_updated_at");
    say(&frame[3], "%lld", (long long)us);
    object(&c->text, rng, frame, 4);
    c->known = spoil ? -1 : 1;
    c->error = refusal[spoil];
    if (!snapshot && !spoil)
        stand(c, rng, nonces, id);
    for (int i = 0; i < c->n; i++) {
        c->rows[i].exch_ns = us * 1000;
        c->rows[i].flags = snapshot ? BOG_F_SNAPSHOT : 0;
    }
}

/* A trade frame: prints in any order in the frame, by rising id in the rows. */
static void generate_trades(fuzz_case_t *c, bog_rng_t *rng)
{
    int n = (int)below(rng, 9);
    int64_t id = below(rng, 1LL << 60), us = 1 + below(rng, 1LL << 51);
    fuzz_text_t one[8], frame[3] = { part(0, "trades"), part(1, "type"), part(2, "channel") };
    say(&frame[1], "\"update/trade\"");
    say(&frame[2], "\"trade/%u\"", c->market);
    put(&frame[0], "[", 1);
    for (int i = 0; i < n; i++) {
        int side = (int)below(rng, 2);
        int64_t px = amount(rng, 1, BOG_PX_MAX), qty = amount(rng, 1, BOG_QTY_MAX);
        id += 1 + below(rng, 1 << 20);
        expect(c, BOG_ROW_TRADE, side, px, qty, id);
        c->rows[i].exch_ns = us * 1000;
        c->rows[i].flags = below(rng, 4) ? 0 : BOG_F_LIQUIDATION;
    }
    /* newest first, as the venue sends them, or from a random one on */
    int from = n ? (int)below(rng, n) : 0;
    for (int i = 0; i < n; i++) {
        const bog_row_t *row = c->rows + (from + n - i) % n;
        one[0] = part(3, "price");
        number(&one[0], rng, row->px, c->price_decimals, SOUND);
        one[1] = part(4, "size");
        number(&one[1], rng, row->qty, c->size_decimals, SOUND);
        one[2] = part(5, "is_maker_ask");
        say(&one[2], row->side == BOG_BID ? "true" : "false");
        one[3] = part(6, "trade_id");
        say(&one[3], "%lld,\"market_id\":%u", (long long)row->id, c->market);
        one[4] = part(7, "transaction_time");
        say(&one[4], "%lld,\"type\":\"%s\"", (long long)us, row->flags ? "liquidation" : "trade");
        put(&frame[0], ",", (size_t)(i > 0));
        object(&frame[0], rng, one, 5);
    }
    put(&frame[0], "]", 1);
    object(&c->text, rng, frame, 3);
    c->known = 1;
}

static void generate(fuzz_case_t *c, bog_rng_t *rng)
{
    c->text.n = 0;
    c->n = 0;
    if (below(rng, 3))
        generate_book(c, rng);
    else
        generate_trades(c, rng);
    if (c->n)
        c->rows[c->n - 1].eom = 1;
}

#endif
