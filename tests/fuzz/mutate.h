/*
 * What a broken or hostile sender does to a frame: at the level of bytes, and at the level of JSON
 * values, so that many of the results are JSON still and get past the first check.
 */
#ifndef BOG_FUZZ_MUTATE_H
#define BOG_FUZZ_MUTATE_H

#include "fuzz.h"

static const char *const values[] = {
    "0",
    "-0",
    "1",
    "-1",
    "NaN",
    "Infinity",
    "1e400",
    "1E-400",
    "1e18",
    "9e99999999999999999999",
    "0.000000000000000000000000000001",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551616",
    "1099511627775",
    "1099511627776",
    "281474976710655",
    "281474976710656",
    "99999999999999999999999999999999999999999999",
    "01",
    "1.",
    ".5",
    "+1",
    "0x10",
    "1.0000",
    "\"\"",
    "\"0\"",
    "\"-1.5\"",
    "\"1e3\"",
    "\"0.10000000000000000001\"",
    "\" 1\"",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "[[]]",
    "{\"price\":\"1\",\"size\":\"1\"}",
    "{\"1\":{\"mark_price\":\"1\"}}",
    "\"order_book:1\"",
    "\"order_book/0\"",
    "\"trade:1\"",
    "\"market_stats:all\"",
    "\"update/order_book\"",
    "\"subscribed/order_book\"",
    "\"update/trade\"",
    "\"update/market_stats\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\xed\xa0\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"order_book\"",
    "\"price\"",
    "\"size\"",
    "\"nonce\"",
    "\"begin_nonce\"",
    "\"offset\"",
    "\"trades\"",
    "\"liquidation_trades\"",
    "\"market_stats\"",
    "\"channel\"",
    "\"type\"",
    "\"error\"",
    "\"code\"",
};
static const char *const tails[] = {
    "\"",  "\"\\", "\"\\u", "\"\\u00e",       "\"\xc3", "\"\xe2\x82", "\"\xf0\x9f\x98",
    "tru", "fals", "nul",   "{\"price\":\"1", "-",      "1.",         "1e",
    "1e+", "\"1",
};
static const char bytes[] = "\"\\{}[]:,0-.eE+ \n\x00\x7f\x80\xc3\xff";

/* Replace `was` bytes at `at` by `n` others, as far as there is room. */
static void splice(fuzz_text_t *t, size_t at, size_t was, const char *s, size_t n)
{
    if (t->n - was + n > FUZZ_SMALL)
        return;
    memmove(t->s + at + n, t->s + at + was, t->n - at - was);
    memcpy(t->s + at, s, n);
    t->n += n - was;
}

/* Find a value at or behind a random place: its bytes [*at, *at + n); 0 when there is none. */
static size_t value_at(bog_rng_t *rng, const fuzz_text_t *t, size_t *at)
{
    size_t p = t->n ? (size_t)below(rng, (int64_t)t->n) : 0, q;
    int depth = 0, text = 0;
    while (p < t->n && !strchr("\"{[-0123456789tfn", t->s[p]))
        p++;
    if (p >= t->n || !t->s[p])
        return 0;
    *at = p;
    for (q = p; q < t->n; q++) {
        char c = t->s[q];
        if (text) {
            if (c == '\\')
                q++;
            else if (c == '"')
                text = 0;
        } else if (c == '"') {
            text = 1;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return q - p;
            depth--;
        } else if (depth == 0 && (c == ',' || c == ':')) {
            return q - p;
        }
        if (!text && depth == 0 && strchr("\"}]", c))
            return (q < t->n ? q + 1 : q) - p;
    }
    return t->n - p;
}

/* Change `t` once; `other` is another frame to take pieces from. */
static void mutate(fuzz_text_t *t, bog_rng_t *rng, const fuzz_text_t *other)
{
    static char piece[FUZZ_SMALL];
    size_t n = t->n, at = 0, length, from = 0;
    if (n == 0) {
        splice(t, 0, 0, other->s, other->n < FUZZ_SMALL ? other->n : 0);
        return;
    }
    size_t here = (size_t)below(rng, (int64_t)n);
    switch (below(rng, 14)) {
    case 0:
        t->s[here] ^= (char)(1 << below(rng, 8));
        return;
    case 1:
        t->s[here] = bytes[below(rng, sizeof(bytes))];
        return;
    case 2:
        splice(t, here, 0, &bytes[below(rng, sizeof(bytes))], 1);
        return;
    case 3: /* lose a stretch */
        length = (size_t)below(rng, 1 + (int64_t)(n - here < 16 ? n - here : 16));
        splice(t, here, length, "", 0);
        return;
    case 4: /* cut, in the middle of something */
        if (below(rng, 4))
            return;
        t->n = here;
        if (below(rng, 2)) {
            const char *tail = tails[below(rng, (int64_t)(sizeof(tails) / sizeof(tails[0])))];
            splice(t, t->n, 0, tail, strlen(tail));
        }
        return;
    case 5: /* a stretch again, elsewhere */
        length = (size_t)below(rng, 1 + (int64_t)(n - here < 64 ? n - here : 64));
        memcpy(piece, t->s + here, length);
        splice(t, (size_t)below(rng, (int64_t)n), 0, piece, length);
        return;
    case 6: /* a bound of the reader's */
        length = 1 + (size_t)below(rng, 40);
        memset(piece, '[', length);
        splice(t, here, 0, piece, length);
        return;
    default:
        break;
    }
    length = value_at(rng, t, &at);
    if (!length || at + length > n)
        return;
    switch (below(rng, 7)) {
    case 0: /* a value that means trouble */
    case 1: {
        const char *s = values[below(rng, (int64_t)(sizeof(values) / sizeof(values[0])))];
        splice(t, at, length, s, strlen(s));
        return;
    }
    case 2: /* the value, or the member, twice */
        if (length + 1 >= FUZZ_SMALL)
            return;
        piece[0] = below(rng, 4) ? ',' : ':';
        memcpy(piece + 1, t->s + at, length);
        splice(t, at + length, 0, piece, length + 1);
        return;
    case 3: /* a value of another frame */
        length = value_at(rng, t, &at);
        from = 0;
        n = value_at(rng, other, &from);
        if (n && n <= FUZZ_SMALL && length && at + length <= t->n)
            splice(t, at, length, other->s + from, n);
        return;
    case 4: { /* one digit more or less */
        size_t p = at + (size_t)below(rng, (int64_t)length);
        if (t->s[p] >= '0' && t->s[p] <= '9') {
            char digit = (char)('0' + below(rng, 10));
            splice(t, p, (size_t)below(rng, 2), &digit, 1);
        }
        return;
    }
    case 5: /* without it */
        splice(t, at, length, "", 0);
        return;
    default: /* deeper */
        n = 1 + (size_t)below(rng, 40);
        memset(piece, ']', n);
        splice(t, at + length, 0, piece, n);
        memset(piece, '[', n);
        splice(t, at, 0, piece, n);
        return;
    }
}

#endif
