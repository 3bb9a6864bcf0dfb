/*
 * The byte formats of recordings: rows as CSV (format 1), orders as CSV (format 2), tapes.
 *
 * Owners: source.pyx reads, recorder.pyx writes. docs/formats.md says the same for people. Every
 * reader here stops at the first byte it does not understand and keeps where and why in bog_lines_t.
 */
#ifndef BOG_RECORDING_H
#define BOG_RECORDING_H

#include <string.h>

#include "types.h"

#define BOG_ROWS_HEADER "recv_ns,exch_ns,kind,side,price,size,id,eom\n"
#define BOG_ORDERS_HEADER "recv_ns,exch_ns,kind,side,price,size,order_id,taker_id\n"
#define BOG_CSV_ROW_MAX 128 /* longest row that bog_csv_write makes */

/* A place in a text of lines. */
typedef struct bog_lines {
    const char *data;
    size_t size;
    size_t at;         /* first byte of the next line */
    uint64_t line;     /* number of the line read last, from 1 */
    bog_ns_t last_ns;  /* order key of the line before */
    int in_message;    /* rows since the last eom */
    int snapshot;      /* inside a message that began with R */
    const char *what;  /* the column in trouble, static text */
    const char *right; /* what would be right */
    size_t bad_at;     /* the value in trouble */
    size_t bad_n;
} bog_lines_t;

/* One line of format 2. */
typedef struct bog_order_line {
    bog_ns_t recv_ns;
    bog_ns_t exch_ns;
    bog_px_t px;
    bog_qty_t qty;
    int64_t id;
    int64_t taker;
    const char *text; /* the line, for a message about it */
    size_t n;
    uint8_t kind; /* A M D T */
    uint8_t side; /* of the order; of a trade, the aggressor's */
} bog_order_line_t;

static inline int bog_lines_fail(bog_lines_t *l, const char *what, const char *right, const char *p,
                                 const char *end)
{
    l->what = what;
    l->right = right;
    l->bad_at = (size_t)(p - l->data);
    l->bad_n = (size_t)(end - p);
    return -1;
}

/* Read one unsigned column that ends with `stop` and step over it; 0 on success. */
static inline int bog_column(bog_lines_t *l, const char **at, const char *end, char stop,
                             int64_t low, int64_t high, int64_t *out, const char *what,
                             const char *right)
{
    const char *p = *at, *first = p;
    uint64_t value = 0;
    while (p < end && *p >= '0' && *p <= '9' && p - first < 20)
        value = value * 10 + (uint64_t)(*p++ - '0'); /* 19 digits fit, 20 are refused below */
    if (p == first || p >= end || *p != stop || p - first > 19 || value < (uint64_t)low ||
        value > (uint64_t)high) {
        const char *q = first;
        while (q < end && *q != ',' && *q != '\n')
            q++;
        return bog_lines_fail(l, what, right, first, q);
    }
    *at = p + 1;
    *out = (int64_t)value;
    return 0;
}

/* Read a column of one letter, comma behind it. */
static inline int bog_letter(bog_lines_t *l, const char **at, const char *end, const char *letters,
                             char *out, const char *what, const char *right)
{
    const char *p = *at;
    if (end - p < 2 || p[1] != ',' || !p[0] || !strchr(letters, p[0])) {
        const char *q = p;
        while (q < end && *q != ',' && *q != '\n')
            q++;
        return bog_lines_fail(l, what, right, p, q);
    }
    *out = p[0];
    *at = p + 2;
    return 0;
}

/* Find the line at `at`: 1 with its end (behind the line feed), 0 at the end, -1 when it is cut. */
static inline int bog_line(bog_lines_t *l, const char **first, const char **end)
{
    const char *feed;
    if (l->at >= l->size)
        return 0;
    *first = l->data + l->at;
    l->line++;
    feed = memchr(*first, '\n', l->size - l->at);
    if (!feed)
        return bog_lines_fail(l, "line", "a line feed at its end: the file is cut short", *first,
                              l->data + l->size);
    *end = feed + 1;
    l->at = (size_t)(*end - l->data);
    return 1;
}

#define BOG_RIGHT_NS "a time in nanoseconds since 1970 that never decreases"
#define BOG_RIGHT_PX "whole ticks, 1 to 2**40 - 1"
#define BOG_RIGHT_QTY "whole lots, below 2**48"

/* Read one row of format 1: 1 a row, 0 the end, -1 refused. gen, seq and market are left 0. */
static inline int bog_csv_read(bog_lines_t *l, bog_row_t *row)
{
    const char *p, *end, *line;
    int64_t px, qty, eom, low_px, low_qty, high_px, high_qty;
    char kind, side;
    int more = bog_line(l, &p, &end);
    if (more == 0 && l->in_message)
        return bog_lines_fail(l, "eom", "1 on the last row: the last message is not complete",
                              l->data + l->size, l->data + l->size);
    if (more <= 0)
        return more;
    line = p;
    memset(row, 0, sizeof(*row));
    if (bog_column(l, &p, end, ',', l->last_ns, INT64_MAX, &row->recv_ns, "recv_ns",
                   BOG_RIGHT_NS) ||
        bog_column(l, &p, end, ',', 0, INT64_MAX, &row->exch_ns, "exch_ns",
                   "a time in nanoseconds since 1970") ||
        bog_letter(l, &p, end, "RLTB", &kind, "kind", "R, L, T or B") ||
        bog_letter(l, &p, end, "ba", &side, "side", "b or a"))
        return -1;
    low_px = kind == 'R' ? 0 : 1;
    high_px = kind == 'R' ? 0 : BOG_PX_MAX - 1;
    low_qty = kind == 'T' ? 1 : 0;
    high_qty = kind == 'R' ? 0 : BOG_QTY_MAX - 1;
    if (bog_column(l, &p, end, ',', low_px, high_px, &px, "price",
                   kind == 'R' ? "0 in a reset row" : BOG_RIGHT_PX) ||
        bog_column(l, &p, end, ',', low_qty, high_qty, &qty, "size",
                   kind == 'R' ? "0 in a reset row" : BOG_RIGHT_QTY ", and not 0 in a trade") ||
        bog_column(l, &p, end, ',', 0, INT64_MAX, &row->id, "id", "a number below 2**63") ||
        bog_column(l, &p, end, '\n', 0, 1, &eom, "eom", "0 or 1 and the end of the line"))
        return -1;
    if (p != end)
        return bog_lines_fail(l, "line", "eight columns", line, end - 1);
    row->kind = (uint8_t)kind;
    row->side = side == 'b' ? BOG_BID : BOG_ASK;
    row->px = px;
    row->qty = qty;
    row->eom = (uint8_t)eom;
    l->snapshot |= kind == 'R';
    row->flags = l->snapshot ? BOG_F_SNAPSHOT : 0;
    l->last_ns = row->recv_ns;
    l->in_message = !eom;
    if (eom)
        l->snapshot = 0;
    return 1;
}

/* Read one line of format 2: 1 a line, 0 the end, -1 refused. Sorted by exch_ns, not by recv_ns. */
static inline int bog_order_read(bog_lines_t *l, bog_order_line_t *o)
{
    const char *p, *end, *line;
    char kind, side;
    int more = bog_line(l, &p, &end);
    if (more <= 0)
        return more;
    line = p;
    if (bog_column(l, &p, end, ',', 0, INT64_MAX, &o->recv_ns, "recv_ns",
                   "a time in nanoseconds since 1970") ||
        bog_column(l, &p, end, ',', l->last_ns, INT64_MAX, &o->exch_ns, "exch_ns", BOG_RIGHT_NS) ||
        bog_letter(l, &p, end, "AMDT", &kind, "kind", "A, M, D or T") ||
        bog_letter(l, &p, end, "ba", &side, "side", "b or a") ||
        bog_column(l, &p, end, ',', kind == 'T', BOG_PX_MAX - 1, &o->px, "price",
                   "whole ticks, below 2**40, and not 0 in a trade") ||
        bog_column(l, &p, end, ',', kind == 'T', BOG_QTY_MAX - 1, &o->qty, "size",
                   BOG_RIGHT_QTY ", and not 0 in a trade") ||
        bog_column(l, &p, end, ',', 1, INT64_MAX, &o->id, "order_id", "a number from 1") ||
        bog_column(l, &p, end, '\n', 0, INT64_MAX, &o->taker, "taker_id",
                   "a number and the end of the line"))
        return -1;
    if (p != end)
        return bog_lines_fail(l, "line", "eight columns", line, end - 1);
    o->kind = (uint8_t)kind;
    o->side = side == 'b' ? BOG_BID : BOG_ASK;
    o->text = line;
    o->n = (size_t)(end - line - 1);
    l->last_ns = o->exch_ns;
    return 1;
}

static inline char *bog_csv_number(char *p, int64_t value, char stop)
{
    char digits[20];
    int n = 0;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (value < 0)
        *p++ = '-';
    do
        digits[n++] = (char)('0' + left % 10);
    while (left /= 10);
    while (n)
        *p++ = digits[--n];
    *p++ = stop;
    return p;
}

/* Write a row as a line of format 1 and return its length; 0 for a kind that format 1 lacks. */
static inline size_t bog_csv_write(char *out, const bog_row_t *row)
{
    char *p = out;
    if (row->kind != 'R' && row->kind != 'L' && row->kind != 'T' && row->kind != 'B')
        return 0;
    p = bog_csv_number(p, row->recv_ns, ',');
    p = bog_csv_number(p, row->exch_ns, ',');
    *p++ = (char)row->kind;
    *p++ = ',';
    *p++ = row->side == BOG_BID ? 'b' : 'a';
    *p++ = ',';
    p = bog_csv_number(p, row->px, ',');
    p = bog_csv_number(p, row->qty, ',');
    p = bog_csv_number(p, row->id, ',');
    *p++ = row->eom ? '1' : '0';
    *p++ = '\n';
    return (size_t)(p - out);
}

/* ---- tapes ---- */

#define BOG_TAPE_MAGIC "bogtape\n"
#define BOG_TAPE_VERSION 1

/* First two cache lines of a tape; rows follow. Little-endian. */
typedef struct bog_tape_head {
    char magic[8];
    uint32_t version;
    uint32_t market;
    int32_t price_decimals;
    int32_t size_decimals;
    int64_t unix_offset_ns; /* Unix time - clock of recv_ns */
    int64_t created_ns;     /* Unix */
    char created_by[80];    /* UTF-8, zeros behind */
    uint32_t row_size;      /* 64 */
    uint32_t crc;           /* CRC-32 of the 124 bytes before */
} bog_tape_head_t;

_Static_assert(sizeof(bog_tape_head_t) == 128, "a tape's head is two cache lines");

/* CRC-32 (polynomial EDB88320, as in gzip), eight bytes at a time. */
static uint32_t bog_crc_table[8][256];

static inline void bog_crc_start(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320U ^ (c >> 1) : c >> 1;
        bog_crc_table[0][i] = c;
    }
    for (int t = 1; t < 8; t++)
        for (int i = 0; i < 256; i++)
            bog_crc_table[t][i] =
                (bog_crc_table[t - 1][i] >> 8) ^ bog_crc_table[0][bog_crc_table[t - 1][i] & 255];
}

static inline uint32_t bog_crc(uint32_t crc, const void *data, size_t n)
{
    const unsigned char *p = data;
    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t low, high;
        memcpy(&low, p, 4);
        memcpy(&high, p + 4, 4);
        low ^= crc;
        crc = bog_crc_table[7][low & 255] ^ bog_crc_table[6][low >> 8 & 255] ^
              bog_crc_table[5][low >> 16 & 255] ^ bog_crc_table[4][low >> 24] ^
              bog_crc_table[3][high & 255] ^ bog_crc_table[2][high >> 8 & 255] ^
              bog_crc_table[1][high >> 16 & 255] ^ bog_crc_table[0][high >> 24];
    }
    for (; n; n--, p++)
        crc = bog_crc_table[0][(crc ^ *p) & 255] ^ (crc >> 8);
    return ~crc;
}

/* The seal of row `number` (from 0): its number + 1 below, the CRC of number and content above. */
static inline uint64_t bog_tape_seal(const bog_row_t *row, uint64_t number)
{
    uint32_t low = (uint32_t)(number + 1);
    uint32_t crc = bog_crc(bog_crc(0, &low, 4), (const char *)row + 8, sizeof(*row) - 8);
    return (uint64_t)crc << 32 | low;
}

#endif
