/*
 * The `order_book` of a frame: its levels into the parser, and from there into rows.
 *
 * Continuity: with nonces (2026) an update continues the book when its begin_nonce is the nonce
 * before it; without (2025) when its offset is one more. An older or equal one is dropped and
 * counted. A break yields one status row GAP, then no book rows until a snapshot.
 */
#ifndef BOG_FRAME_BOOK_H
#define BOG_FRAME_BOOK_H

#include "frame.h"

/* A level in the venue's own spelling, at *at: 1 when taken, 0 to read it the general way. */
static inline int bog_frame_level(const bog_frames_t *f, const char **at, const char *end,
                                  bog_frame_level_t *level)
{
    const char *p = *at;
    int64_t px, qty;
    if (end - p < 2 * BOG_JSON_SHORT + 24 || !BOG_HERE(&p, end, "{\"price\":") ||
        !bog_json_short(&p, f->price_decimals, &px) || !BOG_HERE(&p, end, ",\"size\":") ||
        !bog_json_short(&p, f->size_decimals, &qty) || *p != '}' || px <= 0 || px >= BOG_PX_MAX ||
        qty >= BOG_QTY_MAX)
        return 0;
    level->px = px;
    level->qty = qty;
    *at = p + 1;
    return 1;
}

static inline int bog_frame_side(bog_frames_t *f, bog_json_t *j, int side)
{
    const char *what = side == BOG_BID ? "bids" : "asks";
    int more, in, first = 1;
    int32_t n = 0;
    if (BOG_LITERAL(j, "null"))
        return 0;
    if (j->p >= j->end || *j->p != '[')
        return bog_json_fail(j, BOG_BAD_VALUE, what, j->p);
    j->p++;
    while ((more = bog_json_element(j, &first, what)) > 0) {
        const char *here = j->p;
        int64_t px = -1, qty = -1;
        uint32_t seen = 0;
        bog_text_t name = { 0, 0 };
        int first_in = 1;
        if (here >= j->end || *here != '{')
            return bog_json_fail(j, BOG_BAD_VALUE, what, here);
        if (n < BOG_FRAME_LEVELS && bog_frame_level(f, &j->p, j->end, &f->levels[side][n])) {
            n++;
            continue;
        }
        in = 1;
        j->p++;
        while (in && (in = bog_json_member(j, &first_in, &name, what)) > 0) {
            if (BOG_IS(name, "price")) {
                if (bog_frame_once(j, &seen, 0, "price") ||
                    bog_json_number(j, f->price_decimals, 1, BOG_PX_MAX - 1, &px, "price"))
                    return j->error;
            } else if (BOG_IS(name, "size")) {
                if (bog_frame_once(j, &seen, 1, "size") ||
                    bog_json_number(j, f->size_decimals, 0, BOG_QTY_MAX - 1, &qty, "size"))
                    return j->error;
            } else if (bog_json_skip(j, 4, what)) {
                return j->error;
            }
        }
        if (in < 0)
            return in;
        if (px < 0)
            return bog_json_fail(j, BOG_BAD_MISSING, "price", here);
        if (qty < 0)
            return bog_json_fail(j, BOG_BAD_MISSING, "size", here);
        if (n == BOG_FRAME_LEVELS)
            return bog_json_fail(j, BOG_BAD_ROOM, what, here);
        f->levels[side][n].px = px;
        f->levels[side][n].qty = qty;
        n++;
    }
    f->n_levels[side] = n;
    return more;
}

static inline int bog_frame_book(bog_frames_t *f, bog_json_t *j, bog_frame_draft_t *d)
{
    uint32_t seen = 0;
    bog_text_t name;
    int more, first = 1;
    if (j->p >= j->end || *j->p != '{')
        return bog_json_fail(j, BOG_BAD_VALUE, "order_book", j->p);
    j->p++;
    d->has_book = 1;
    while ((more = bog_json_member(j, &first, &name, "order_book")) > 0) {
        int bad;
        if (BOG_IS(name, "asks"))
            bad = bog_frame_once(j, &seen, 0, "asks") || bog_frame_side(f, j, BOG_ASK);
        else if (BOG_IS(name, "bids"))
            bad = bog_frame_once(j, &seen, 1, "bids") || bog_frame_side(f, j, BOG_BID);
        else if (BOG_IS(name, "offset"))
            bad = bog_frame_once(j, &seen, 2, "offset") ||
                  bog_json_number(j, 0, 0, INT64_MAX, &d->inner_offset, "offset");
        else if (BOG_IS(name, "nonce"))
            bad = bog_frame_once(j, &seen, 3, "nonce") ||
                  bog_json_number(j, 0, 0, INT64_MAX, &d->nonce, "nonce");
        else if (BOG_IS(name, "begin_nonce"))
            bad = bog_frame_once(j, &seen, 4, "begin_nonce") ||
                  bog_json_number(j, 0, 0, INT64_MAX, &d->begin_nonce, "begin_nonce");
        else if (BOG_IS(name, "last_updated_at"))
            bad = bog_frame_once(j, &seen, 5, "last_updated_at") ||
                  bog_json_number(j, 0, 0, BOG_US_MAX, &d->inner_updated_us, "last_updated_at");
        else
            bad = bog_json_skip(j, 2, "order_book");
        if (bad)
            return j->error;
    }
    return more;
}

/* The levels of one side, at *at behind the bracket, all in the venue's own spelling: 1, or 0. */
static inline int bog_frame_levels(bog_frames_t *f, const char **at, const char *end, int side)
{
    const char *p = *at;
    int32_t n = 0;
    while (n < BOG_FRAME_LEVELS && bog_frame_level(f, &p, end, &f->levels[side][n])) {
        n++;
        if (*p != ',')
            break;
        p++;
    }
    if (p >= end || *p != ']' || p[-1] == ',')
        return 0;
    f->n_levels[side] = n;
    *at = p + 1;
    return 1;
}

/* Where the text goes on behind the channel of a book as the venue writes it, 0 when it does not. */
static inline const char *bog_frame_book_channel(const char *p, const char *end, int64_t *market)
{
    unsigned n;
    uint64_t digits, marks;
    if (!BOG_HERE(&p, end, "{\"channel\":\"order_book:") || end - p < BOG_JSON_SHORT)
        return 0;
    digits = bog_json_digits(p, &marks);
    n = bog_json_before(marks);
    if (n == 0 || p[n] != '"')
        return 0;
    *market = (int64_t)bog_json_value(digits, n);
    return p + n + 1;
}

/* A number behind its name, if this name stands here: 0 only for a number that is not plain. */
static inline __attribute__((always_inline)) int bog_frame_field(const char **at, const char *end,
                                                                 const char *name, size_t n,
                                                                 int64_t high, int64_t *out)
{
    return !bog_json_here(at, end, name, n) ||
           (end - *at >= BOG_JSON_SHORT && bog_json_whole(at, high, out));
}

#define BOG_FIELD(at, end, name, high, out)                                                        \
    bog_frame_field((at), (end), ",\"" name "\":", sizeof(name) + 3, (high), (out))

/*
 * A book frame of our market exactly as the venue writes it: its names in their order, nothing else.
 *
 * Return 1 when all of it is in the draft and the levels, and 0 when the general way has to read it,
 * from its start: that one takes what this one takes, and says what is wrong with the rest.
 */
static inline int bog_frame_book_swift(bog_frames_t *f, const bog_json_t *j, bog_frame_draft_t *d)
{
    const char *end = j->end, *p = bog_frame_book_channel(j->p, end, &d->market);
    if (!p || d->market != (int64_t)f->market ||
        !BOG_FIELD(&p, end, "last_updated_at", BOG_US_MAX, &d->updated_us) ||
        !BOG_FIELD(&p, end, "offset", INT64_MAX, &d->offset) ||
        !BOG_HERE(&p, end, ",\"order_book\":{\"code\":0,\"asks\":[") ||
        !bog_frame_levels(f, &p, end, BOG_ASK) || !BOG_HERE(&p, end, ",\"bids\":[") ||
        !bog_frame_levels(f, &p, end, BOG_BID) ||
        !BOG_FIELD(&p, end, "offset", INT64_MAX, &d->inner_offset) ||
        !BOG_FIELD(&p, end, "nonce", INT64_MAX, &d->nonce) ||
        !BOG_FIELD(&p, end, "begin_nonce", INT64_MAX, &d->begin_nonce) ||
        !BOG_FIELD(&p, end, "last_updated_at", BOG_US_MAX, &d->inner_updated_us) ||
        !BOG_HERE(&p, end, "}") || !BOG_FIELD(&p, end, "timestamp", BOG_MS_MAX, &d->timestamp_ms))
        return 0;
    f->kind = BOG_HERE(&p, end, ",\"type\":\"update/order_book\"}")       ? BOG_FRAME_UPDATE
              : BOG_HERE(&p, end, ",\"type\":\"subscribed/order_book\"}") ? BOG_FRAME_SNAPSHOT
                                                                          : BOG_FRAME_OTHER;
    d->has_book = 1;
    return p == end && f->kind != BOG_FRAME_OTHER;
}

/* The rows of a book frame, bids first, after the chain allowed it. */
static inline int bog_frame_book_rows(bog_frames_t *f, bog_json_t *j, const bog_frame_draft_t *d,
                                      int snapshot, bog_row_t *out, int cap)
{
    int64_t offset = d->inner_offset >= 0 ? d->inner_offset : d->offset;
    int32_t form = d->nonce >= 0 ? BOG_CHAIN_NONCE : BOG_CHAIN_OFFSET;
    int64_t id = form == BOG_CHAIN_NONCE ? d->nonce : offset;
    int64_t us = d->inner_updated_us > 0 ? d->inner_updated_us : d->updated_us;
    bog_ns_t exch_ns = us > 0 ? us * 1000 : d->timestamp_ms > 0 ? d->timestamp_ms * 1000000 : 0;
    int total = f->n_levels[0] + f->n_levels[1] + snapshot, n = 0;
    uint8_t flags = 0;
    if (!d->has_book)
        return bog_json_fail(j, BOG_BAD_MISSING, "order_book", j->end);
    if (id < 0)
        return bog_json_fail(j, BOG_BAD_MISSING, "offset", j->end);
    if (snapshot) {
        flags = (uint8_t)(BOG_F_SNAPSHOT | (f->after_gap ? BOG_F_AFTER_GAP : 0));
    } else {
        if (f->chain == BOG_CHAIN_NONE) {
            f->orphans++;
            return 0;
        }
        if (form != f->chain)
            return bog_json_fail(j, BOG_BAD_CHAIN, "nonce", j->end);
        if (form == BOG_CHAIN_NONCE && d->begin_nonce < 0)
            return bog_json_fail(j, BOG_BAD_MISSING, "begin_nonce", j->end);
        if (form == BOG_CHAIN_NONCE && d->begin_nonce > id)
            return bog_json_fail(j, BOG_BAD_CHAIN, "begin_nonce", j->end);
        if (id <= f->last) {
            f->duplicates++;
            return 0;
        }
        if (form == BOG_CHAIN_NONCE ? d->begin_nonce != f->last : id != f->last + 1) {
            if (cap < 1)
                return bog_json_fail(j, BOG_BAD_ROOM, "rows", j->end);
            f->gaps++;
            f->chain = BOG_CHAIN_NONE;
            f->after_gap = 1;
            bog_frame_row(f, out, BOG_ROW_STATUS, exch_ns);
            out->px = BOG_STATUS_GAP;
            out->id = id;
            out->eom = 1;
            return 1;
        }
    }
    if (total > cap)
        return bog_json_fail(j, BOG_BAD_ROOM, "rows", j->end);
    f->chain = form;
    f->last = id;
    if (snapshot) {
        f->after_gap = 0;
        bog_frame_row(f, out, BOG_ROW_RESET, exch_ns);
        out->id = id;
        out->flags = flags;
        n = 1;
    }
    for (int side = BOG_BID; side <= BOG_ASK; side++) {
        for (int32_t i = 0; i < f->n_levels[side]; i++, n++) {
            bog_frame_row(f, out + n, BOG_ROW_LEVEL, exch_ns);
            out[n].side = (uint8_t)side;
            out[n].px = f->levels[side][i].px;
            out[n].qty = f->levels[side][i].qty;
            out[n].id = id;
            out[n].flags = flags;
        }
    }
    if (n)
        out[n - 1].eom = 1;
    return n;
}

#endif
