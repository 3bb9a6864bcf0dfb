/*
 * A strict reader of JSON text that stays where it is: no copy, no allocation, no recursion past a
 * fixed depth, no byte read outside [p, end).
 *
 * Owner: frames.h and the file readers. Invariant: after an error the cursor is of no use; `error`,
 * `what` and `at` say what was wrong, in which field, and at which byte. The first error is kept.
 * Accepted is RFC 8259 with valid UTF-8. Stricter: a name or a text that is compared holds no escape.
 */
#ifndef BOG_JSON_H
#define BOG_JSON_H

#include <string.h>

#include "types.h"

#define BOG_JSON_DEPTH 32 /* arrays and objects inside each other */
#define BOG_DECIMALS_MAX 18

/* Why a text is refused. Negative, so that a count and a reason share one return value. */
enum bog_frame_error {
    BOG_BAD_SYNTAX = -1,    /* not JSON */
    BOG_BAD_DEPTH = -2,     /* nested deeper than BOG_JSON_DEPTH */
    BOG_BAD_UTF8 = -3,      /* not UTF-8, or a control character in a text */
    BOG_BAD_ESCAPE = -4,    /* an escape in a name or text that is compared */
    BOG_BAD_DUPLICATE = -5, /* a field we read stands twice */
    BOG_BAD_MISSING = -6,   /* a field we need is absent */
    BOG_BAD_VALUE = -7,     /* a field has another type of value */
    BOG_BAD_DECIMALS = -8,  /* more decimals than the market has, and they are not zeros */
    BOG_BAD_RANGE = -9,     /* a number outside its bounds */
    BOG_BAD_ROOM = -10,     /* more levels, trades or rows than there is room for */
    BOG_BAD_MARKET = -11,   /* an element of another market than the channel's */
    BOG_BAD_CONFLICT = -12, /* one trade id with two contents */
    BOG_BAD_CHAIN =
        -13, /* an update in another form than its snapshot, or ids that run backwards */
};

typedef struct bog_json {
    const char *p; /* next byte */
    const char *end;
    const char *start; /* for `at` */
    const char *what;  /* name of the field in trouble, static text */
    size_t at;         /* byte offset of the trouble */
    int error;         /* enum bog_frame_error, 0 while all is well */
} bog_json_t;

/* A piece of the text, not terminated. */
typedef struct bog_text {
    const char *s;
    size_t n;
} bog_text_t;

static inline int bog_json_fail(bog_json_t *j, int error, const char *what, const char *p)
{
    if (!j->error) {
        j->error = error;
        j->what = what;
        j->at = (size_t)(p - j->start);
    }
    return error;
}

static inline int bog_text_is(bog_text_t t, const char *word, size_t n)
{
    return t.n == n && memcmp(t.s, word, n) == 0;
}

#define BOG_IS(t, word) bog_text_is((t), (word), sizeof(word) - 1)

static inline void bog_json_space(bog_json_t *j)
{
    if (j->p < j->end && *j->p > ' ') /* the venue writes none */
        return;
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
        j->p++;
}

/* Step over white space and `c`; BAD_SYNTAX when something else stands there. */
static inline int bog_json_expect(bog_json_t *j, char c, const char *what)
{
    bog_json_space(j);
    if (j->p < j->end && *j->p == c) {
        j->p++;
        return 0;
    }
    return bog_json_fail(j, BOG_BAD_SYNTAX, what, j->p);
}

/* Length of the UTF-8 sequence at p, 0 when it is not one (overlong, surrogate, cut, past 10FFFF). */
static inline size_t bog_utf8(const char *text, const char *end)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t left = (size_t)(end - text);
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        return left >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
    if ((p[0] & 0xf0) == 0xe0) {
        if (left < 3 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80)
            return 0;
        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
            return 0;
        return 3;
    }
    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        if (left < 4 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 || (p[3] & 0xc0) != 0x80)
            return 0;
        if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
            return 0;
        return 4;
    }
    return 0;
}

/* 1 for the bytes that stand for themselves inside a text. */
static const uint8_t bog_json_plain[256] = {
    [' '] = 1,
    ['!'] = 1,
    ['#' ... '['] = 1,
    [']' ... 0x7f] = 1,
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte of a word is its lowest");

#define BOG_EACH_BYTE(b) (0x0101010101010101ULL * (b))

/* Return `p`, or how far behind it the text is plain, eight bytes at a time. */
static inline const char *bog_json_plain8(const char *p, const char *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t word, quote, slash, other;
        memcpy(&word, p, sizeof(word));
        quote = word ^ BOG_EACH_BYTE('"');
        slash = word ^ BOG_EACH_BYTE('\\');
        /* the high bit of the first byte that is not plain, and perhaps of some above it */
        other = ((word - BOG_EACH_BYTE(' ')) | (quote - BOG_EACH_BYTE(1)) |
                 (slash - BOG_EACH_BYTE(1)) | word) &
                BOG_EACH_BYTE(0x80);
        if (other)
            return p + (__builtin_ctzll(other) >> 3);
    }
    return p;
}

/* Step over the rest of a text whose opening quote is behind us; *escaped is set if it has escapes. */
static inline int bog_json_text(bog_json_t *j, bog_text_t *out, int *escaped, const char *what)
{
    const char *p = bog_json_plain8(j->p, j->end), *end = j->end;
    out->s = j->p;
    *escaped = 0;
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (bog_json_plain[c]) {
            p++;
            continue;
        }
        if (c == '"') {
            out->n = (size_t)(p - out->s);
            j->p = p + 1;
            return 0;
        }
        if (c == '\\') {
            *escaped = 1;
            if (end - p < 2)
                break;
            if (p[1] == 'u') {
                if (end - p < 6)
                    break;
                for (int i = 2; i < 6; i++) {
                    char h = p[i];
                    if (!((h >= '0' && h <= '9') || ((h | 32) >= 'a' && (h | 32) <= 'f')))
                        return bog_json_fail(j, BOG_BAD_SYNTAX, what, p);
                }
                p += 6;
            } else if (p[1] && strchr("\"\\/bfnrt", p[1])) {
                p += 2;
            } else {
                return bog_json_fail(j, BOG_BAD_SYNTAX, what, p);
            }
        } else if (c < 0x20) {
            return bog_json_fail(j, BOG_BAD_UTF8, what, p);
        } else {
            size_t n = bog_utf8(p, end);
            if (!n)
                return bog_json_fail(j, BOG_BAD_UTF8, what, p);
            p += n;
        }
    }
    return bog_json_fail(j, BOG_BAD_SYNTAX, what, end);
}

/* Read a text that will be compared: no escape in it. */
static inline int bog_json_word(bog_json_t *j, bog_text_t *out, const char *what)
{
    int escaped;
    bog_json_space(j);
    const char *p = j->p;
    if (p >= j->end || *p != '"')
        return bog_json_fail(j, p < j->end ? BOG_BAD_VALUE : BOG_BAD_SYNTAX, what, p);
    j->p++;
    if (bog_json_text(j, out, &escaped, what))
        return j->error;
    return escaped ? bog_json_fail(j, BOG_BAD_ESCAPE, what, p) : 0;
}

/* Step to the next member of an object: 1 and its name, 0 at the end, negative on an error. */
static inline int bog_json_member(bog_json_t *j, int *first, bog_text_t *name, const char *what)
{
    bog_json_space(j);
    if (j->p >= j->end)
        return bog_json_fail(j, BOG_BAD_SYNTAX, what, j->p);
    if (*j->p == '}') {
        j->p++;
        return 0;
    }
    if (!*first && bog_json_expect(j, ',', what))
        return j->error;
    *first = 0;
    bog_json_space(j);
    if (j->p >= j->end || *j->p != '"')
        return bog_json_fail(j, BOG_BAD_SYNTAX, what, j->p);
    if (bog_json_word(j, name, what) || bog_json_expect(j, ':', what))
        return j->error;
    bog_json_space(j);
    return 1;
}

/* Step to the next element of an array: 1 when one stands here, 0 at the end, negative on an error. */
static inline int bog_json_element(bog_json_t *j, int *first, const char *what)
{
    bog_json_space(j);
    if (j->p >= j->end)
        return bog_json_fail(j, BOG_BAD_SYNTAX, what, j->p);
    if (*j->p == ']') {
        j->p++;
        return 0;
    }
    if (!*first && bog_json_expect(j, ',', what))
        return j->error;
    *first = 0;
    bog_json_space(j);
    return 1;
}

/* Step over `word` (null, true, false) if it stands here. */
static inline int bog_json_literal(bog_json_t *j, const char *word, size_t n)
{
    if ((size_t)(j->end - j->p) < n || memcmp(j->p, word, n) != 0)
        return 0;
    j->p += n;
    return 1;
}

#define BOG_LITERAL(j, word) bog_json_literal((j), (word), sizeof(word) - 1)

static inline int bog_is_digit(const char *p, const char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

static const int64_t bog_tens[BOG_DECIMALS_MAX + 1] = {
    1LL,
    10LL,
    100LL,
    1000LL,
    10000LL,
    100000LL,
    1000000LL,
    10000000LL,
    100000000LL,
    1000000000LL,
    10000000000LL,
    100000000000LL,
    1000000000000LL,
    10000000000000LL,
    100000000000000LL,
    1000000000000000LL,
    10000000000000000LL,
    100000000000000000LL,
    1000000000000000000LL,
};

/* The value of eight digits, each in a byte of its own, the first one lowest. */
static inline __attribute__((always_inline)) uint64_t bog_json_eight(uint64_t digits)
{
    digits = digits * 10 + (digits >> 8); /* pairs, in every second byte */
    return ((digits & 0x000000ff000000ffULL) * (100 + (1000000ULL << 32)) +
            ((digits >> 16) & 0x000000ff000000ffULL) * (1 + (10000ULL << 32))) >>
           32;
}

/*
 * The value of digits [p, end) with at most one point, times 10**shift, for what the short way
 * cannot hold: an exponent, or more than 18 digits. The text is a valid number.
 */
static inline int bog_json_long_decimal(const char *p, const char *end, int64_t shift, int64_t *out)
{
    unsigned __int128 value = 0;
    const char *q;
    int64_t weight = shift - 1; /* power of ten of the digit at hand */
    int bad = 0, some = 0;
    for (q = p; bog_is_digit(q, end); q++)
        weight++;
    for (q = p; q < end && (*q == '.' || bog_is_digit(q, end)); q++) {
        if (*q == '.')
            continue;
        if (weight < 0) {
            if (*q != '0' && bad == 0)
                bad = BOG_BAD_DECIMALS;
        } else {
            value = value * 10 + (unsigned)(*q - '0');
            some |= *q != '0';
            if (value > INT64_MAX) {
                value = INT64_MAX;
                bad = BOG_BAD_RANGE;
            }
        }
        weight--;
    }
    for (; some && weight >= 0 && bad != BOG_BAD_RANGE; weight--) {
        value *= 10;
        if (value > INT64_MAX)
            bad = BOG_BAD_RANGE;
    }
    if (bad)
        return bad;
    *out = (int64_t)value;
    return 0;
}

/*
 * Read a number, bare or as a text, as a whole count of 10**-decimals.
 *
 * Exact or refused: BAD_DECIMALS when digits beyond `decimals` are not zeros, BAD_RANGE when the
 * count does not fit an int64 (both step over the number), BAD_VALUE when no number stands here.
 * Does not record the error, because a caller may have another use for it.
 */
static inline int bog_json_decimal(bog_json_t *j, int decimals, int64_t *out)
{
    const char *p = j->p, *end = j->end, *digits;
    int quoted = p < end && *p == '"', negative, bad = 0, taken = 0, exponent = 0;
    int64_t value = 0, shift = decimals;
    uint64_t sum = 0;
    size_t n;
    p += quoted;
    negative = p < end && *p == '-';
    p += negative;
    digits = p;
    if (!bog_is_digit(p, end))
        return BOG_BAD_VALUE;
    for (; end - p >= 8; p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        word ^= BOG_EACH_BYTE('0');
        if (((word + BOG_EACH_BYTE(0x76)) | word) & BOG_EACH_BYTE(0x80))
            break;
        sum = sum * 100000000 + (uint32_t)bog_json_eight(word);
    }
    for (; bog_is_digit(p, end); p++)
        sum = sum * 10 + (unsigned)(*p - '0'); /* may wrap past 18 digits: then the long way */
    if (*digits == '0' && p - digits > 1)
        return BOG_BAD_VALUE;
    n = (size_t)(p - digits);
    if (p < end && *p == '.') {
        p++;
        if (!bog_is_digit(p, end))
            return BOG_BAD_VALUE;
        for (; bog_is_digit(p, end); p++) {
            if (taken < decimals) {
                sum = sum * 10 + (unsigned)(*p - '0');
                taken++;
            } else if (*p != '0') {
                bad = BOG_BAD_DECIMALS;
            }
        }
    }
    const char *tail = p;
    if (p < end && (*p == 'e' || *p == 'E')) {
        int down, power = 0;
        p++;
        down = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        if (!bog_is_digit(p, end))
            return BOG_BAD_VALUE;
        for (; bog_is_digit(p, end); p++)
            power = power > 1000000 ? power : power * 10 + (*p - '0');
        shift += down ? -power : power;
        exponent = 1;
    }
    if (quoted) {
        if (p >= end || *p != '"')
            return BOG_BAD_VALUE;
        p++;
    }
    if (exponent || n + (size_t)taken > 18) {
        bad = bog_json_long_decimal(digits, tail, shift, &value);
    } else if (!bad && __builtin_mul_overflow((int64_t)sum, bog_tens[decimals - taken], &value)) {
        bad = BOG_BAD_RANGE;
    }
    j->p = p;
    if (bad)
        return bad;
    *out = negative ? -value : value;
    return 0;
}

/* The eight bytes at p less '0' each; in *other the high bit of those that are no digits. */
static inline uint64_t bog_json_digits(const char *p, uint64_t *other)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    word ^= BOG_EACH_BYTE('0');
    /* exact up to the first byte that is no digit, and behind it while all of them are ASCII */
    *other = ((word + BOG_EACH_BYTE(0x76)) | word) & BOG_EACH_BYTE(0x80);
    return word;
}

/* How many bytes come before the first marked one, at most 8. */
static inline unsigned bog_json_before(uint64_t marks)
{
    return marks ? (unsigned)__builtin_ctzll(marks) >> 3 : 8;
}

/* The value of the first n of such bytes, 1 to 8. */
static inline uint64_t bog_json_value(uint64_t digits, unsigned n)
{
    return (uint32_t)bog_json_eight(digits << (64 - 8 * n));
}

/*
 * The short ways: a number as the venue writes it, at *at, which they step over. 1, or 0 for whatever
 * bog_json_decimal has to look at; then *at and *out are as they were. BOG_JSON_SHORT bytes are there.
 */
#define BOG_JSON_SHORT 24

/* A price or size: a text of at most seven digits, a point and at most seven; in 10**-decimals. */
static inline __attribute__((always_inline)) int bog_json_short(const char **at, int decimals,
                                                                int64_t *out)
{
    const char *p = *at + 1;
    uint64_t marks, word = bog_json_digits(p, &marks), tail, value;
    unsigned n = bog_json_before(marks), m = 0;
    if (**at != '"' || n - 1 > 6 || (*p == '0' && n > 1) || n + (unsigned)decimals > 18)
        return 0;
    if (p[n] == '.') {
        marks &= marks - 1;
        if (marks) {
            tail = word >> 8 * n >> 8;
            m = bog_json_before(marks) - n - 1;
        } else {
            tail = bog_json_digits(p + n + 1, &marks);
            m = bog_json_before(marks);
        }
        if (m - 1 > 6 || (int)m > decimals)
            return 0;
        if (n + m <= 8)
            value = bog_json_value((word & ~(~0ULL << 8 * n)) | tail << 8 * n, n + m);
        else
            value = bog_json_value(word, n) * (uint64_t)bog_tens[m] + bog_json_value(tail, m);
        p += n + 1 + m;
    } else {
        value = bog_json_value(word, n);
        p += n;
    }
    if (*p != '"')
        return 0;
    *out = (int64_t)value * bog_tens[decimals - (int)m];
    *at = p + 1;
    return 1;
}

/* A number of at most 16 digits, not above `high`, with a comma or a brace behind it. */
static inline int bog_json_whole(const char **at, int64_t high, int64_t *out)
{
    const char *p = *at;
    uint64_t marks, word = bog_json_digits(p, &marks), tail, value;
    unsigned n = bog_json_before(marks), m = 0;
    if (n == 0 || (*p == '0' && n > 1))
        return 0;
    value = bog_json_value(word, n);
    if (n == 8) {
        tail = bog_json_digits(p + 8, &marks);
        m = bog_json_before(marks);
        if (m)
            value = value * (uint64_t)bog_tens[m] + bog_json_value(tail, m);
    }
    p += n + m;
    if ((*p != ',' && *p != '}') || value > (uint64_t)high)
        return 0;
    *out = (int64_t)value;
    *at = p;
    return 1;
}

/* Step over `word`, a constant of at most 32 bytes, if it stands at *at, before `end`. */
static inline __attribute__((always_inline)) int bog_json_here(const char **at, const char *end,
                                                               const char *word, size_t n)
{
    size_t half = n > 16 ? 16 : n; /* up to here a comparison is no call */
    if ((size_t)(end - *at) < n || memcmp(*at, word, half) != 0 ||
        memcmp(*at + half, word + half, n - half) != 0)
        return 0;
    *at += n;
    return 1;
}

#define BOG_HERE(at, end, word) bog_json_here((at), (end), (word), sizeof(word) - 1)

/* Read a number as bog_json_decimal does, refuse it outside [low, high], and record the error. */
static inline int bog_json_number(bog_json_t *j, int decimals, int64_t low, int64_t high,
                                  int64_t *out, const char *what)
{
    const char *p = j->p;
    int64_t value = 0;
    int bad = bog_json_decimal(j, decimals, &value);
    if (!bad && (value < low || value > high))
        bad = BOG_BAD_RANGE;
    if (bad)
        return bog_json_fail(j, bad, what, p);
    *out = value;
    return 0;
}

/* Step over one value of any kind, checking every byte of it. */
static inline int bog_json_skip(bog_json_t *j, int depth, const char *what)
{
    bog_text_t name;
    int more, first = 1, escaped;
    bog_json_space(j);
    if (j->p >= j->end)
        return bog_json_fail(j, BOG_BAD_SYNTAX, what, j->p);
    switch (*j->p) {
    case '"':
        j->p++;
        return bog_json_text(j, &name, &escaped, what);
    case '{':
    case '[':
        if (depth >= BOG_JSON_DEPTH)
            return bog_json_fail(j, BOG_BAD_DEPTH, what, j->p);
        if (*j->p++ == '[') {
            while ((more = bog_json_element(j, &first, what)) > 0)
                if (bog_json_skip(j, depth + 1, what))
                    return j->error;
            return more;
        }
        for (;;) {
            bog_json_space(j);
            if (j->p < j->end && *j->p == '}') {
                j->p++;
                return 0;
            }
            if (!first && bog_json_expect(j, ',', what))
                return j->error;
            first = 0;
            if (bog_json_expect(j, '"', what) || bog_json_text(j, &name, &escaped, what) ||
                bog_json_expect(j, ':', what) || bog_json_skip(j, depth + 1, what))
                return j->error;
        }
    case 'n':
        return BOG_LITERAL(j, "null") ? 0 : bog_json_fail(j, BOG_BAD_SYNTAX, what, j->p);
    case 't':
        return BOG_LITERAL(j, "true") ? 0 : bog_json_fail(j, BOG_BAD_SYNTAX, what, j->p);
    case 'f':
        return BOG_LITERAL(j, "false") ? 0 : bog_json_fail(j, BOG_BAD_SYNTAX, what, j->p);
    default: {
        const char *p = j->p;
        int64_t value;
        int bad = bog_json_decimal(j, 0, &value);
        /* a number too long or too fine for us is still JSON */
        return bad == BOG_BAD_VALUE ? bog_json_fail(j, BOG_BAD_SYNTAX, what, p) : 0;
    }
    }
}

#endif
