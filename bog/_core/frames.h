/*
 * From the bytes of a public Lighter frame to market rows, exactly or not at all.
 *
 * One bog_frames_t follows one market on one connection. Owner: whoever reads the frames (the feed's
 * gateway, a replay). It takes `order_book`, `trade` and `market_stats` frames, single or `all`, in
 * any order of keys; every other frame is checked as JSON, named by `kind` and yields no rows.
 *
 * Continuity: with nonces (2026) an update continues the book when its begin_nonce is the nonce
 * before it; without (2025) when its offset is one more. An older or equal one is dropped and
 * counted. A break yields one status row GAP, then no book rows until a snapshot.
 * Invariant: a refused frame leaves the chain as it was.
 */
#ifndef BOG_FRAMES_H
#define BOG_FRAMES_H

#include "json.h"

#define BOG_FRAME_LEVELS 32768 /* a side, in one frame */
#define BOG_FRAME_TRADES 4096  /* in one frame */
#define BOG_FRAME_ROWS (2 * BOG_FRAME_LEVELS + 1)

enum bog_frame_kind {
    BOG_FRAME_OTHER = 0,       /* a type we do not read */
    BOG_FRAME_SNAPSHOT = 1,    /* subscribed/order_book */
    BOG_FRAME_UPDATE = 2,      /* update/order_book */
    BOG_FRAME_TRADES_NEW = 3,  /* update/trade */
    BOG_FRAME_TRADES_PAST = 4, /* subscribed/trade: history, no rows */
    BOG_FRAME_STATS = 5,       /* market_stats of our market, or `all` without it (no rows) */
    BOG_FRAME_ELSEWHERE = 6,   /* a channel of another market */
    BOG_FRAME_CONNECTED = 7,
    BOG_FRAME_PING = 8, /* answer it */
    BOG_FRAME_PONG = 9,
    BOG_FRAME_UNSUBSCRIBED = 10,
    BOG_FRAME_SHUTDOWN = 11, /* the server will close */
    BOG_FRAME_ERROR = 12,    /* `code` is the venue's, 0 when it gave none */
};

enum bog_frame_chain { BOG_CHAIN_NONE = 0, BOG_CHAIN_OFFSET = 1, BOG_CHAIN_NONCE = 2 };

typedef struct bog_frame_level {
    bog_px_t px;
    bog_qty_t qty;
} bog_frame_level_t;

typedef struct bog_frame_trade {
    int64_t id;
    bog_px_t px;
    bog_qty_t qty;
    bog_ns_t exch_ns;
    uint8_t side;
    uint8_t flags;
} bog_frame_trade_t;

typedef struct bog_frames {
    uint32_t market; /* raw market id we follow */
    int32_t price_decimals;
    int32_t size_decimals;
    bog_ns_t recv_ns; /* set by the caller before each frame: copied into its rows */
    /* the chain */
    int32_t chain;     /* enum bog_frame_chain: the form of the last snapshot; NONE: no book */
    int32_t after_gap; /* 1 from a gap to the snapshot that repairs it */
    int64_t last;      /* nonce or offset of the last frame taken */
    /* what was met, since the start */
    uint64_t frames;
    uint64_t duplicates; /* book frames, and prints within a frame, that came again */
    uint64_t gaps;
    uint64_t orphans; /* book updates without a book, after a gap or before the first snapshot */
    uint64_t inexact; /* statistics that are no whole ticks, sent as 0; funding rounded to 1 ppm */
    /* about the last frame */
    int32_t kind;     /* enum bog_frame_kind */
    int32_t error;    /* enum bog_frame_error, 0 when it was taken */
    int64_t code;     /* of an error frame */
    size_t at;        /* byte offset of the error */
    const char *what; /* the field in trouble */
    /* room for one frame */
    int32_t n_levels[2];
    int32_t n_trades;
    bog_frame_level_t levels[2][BOG_FRAME_LEVELS];
    bog_frame_trade_t trades[BOG_FRAME_TRADES];
} bog_frames_t;

/* What one frame said, until all of it is read. */
typedef struct bog_frame_draft {
    int family;    /* of the channel: enum bog_frame_family */
    int ours;      /* the channel is our market's, or `all` */
    int all;       /* market_stats:all */
    int has_stats; /* our market was in it */
    int has_book;
    int64_t timestamp_ms, updated_us;
    int64_t offset, inner_offset, nonce, begin_nonce, inner_updated_us; /* -1: absent */
    bog_px_t mark, index;
    int64_t funding_ppm;
} bog_frame_draft_t;

enum bog_frame_family {
    BOG_FAMILY_UNKNOWN = 0, /* no channel yet */
    BOG_FAMILY_OTHER = 1,
    BOG_FAMILY_BOOK = 2,
    BOG_FAMILY_TRADE = 3,
    BOG_FAMILY_STATS = 4,
};

#define BOG_MS_MAX (INT64_MAX / 1000000)
#define BOG_US_MAX (INT64_MAX / 1000)

/* Note that a field was met; BAD_DUPLICATE when it was met before. */
static inline int bog_frame_once(bog_json_t *j, uint32_t *seen, int bit, const char *what)
{
    if (*seen & 1U << bit)
        return bog_json_fail(j, BOG_BAD_DUPLICATE, what, j->p);
    *seen |= 1U << bit;
    return 0;
}

/* Split "order_book:1" (or with a slash) and see whether it is about our market. */
static inline void bog_frame_channel(const bog_frames_t *f, bog_text_t channel,
                                     bog_frame_draft_t *d)
{
    bog_text_t family = channel, rest = { channel.s + channel.n, 0 };
    uint64_t market = 0;
    size_t i;
    for (i = 0; i < channel.n; i++) {
        if (channel.s[i] == ':' || channel.s[i] == '/') {
            family.n = i;
            rest.s = channel.s + i + 1;
            rest.n = channel.n - i - 1;
            break;
        }
    }
    d->family = BOG_IS(family, "order_book")     ? BOG_FAMILY_BOOK
                : BOG_IS(family, "trade")        ? BOG_FAMILY_TRADE
                : BOG_IS(family, "market_stats") ? BOG_FAMILY_STATS
                                                 : BOG_FAMILY_OTHER;
    d->all = d->family == BOG_FAMILY_STATS && BOG_IS(rest, "all");
    d->ours = d->all;
    if (d->all || rest.n == 0 || rest.n > 10)
        return;
    for (i = 0; i < rest.n; i++) {
        if (rest.s[i] < '0' || rest.s[i] > '9')
            return;
        market = market * 10 + (uint64_t)(rest.s[i] - '0');
    }
    d->ours = market == f->market;
}

/* A level in the venue's own spelling: 1 when taken, 0 to read it the general way. */
static inline int bog_frame_plain(const bog_frames_t *f, bog_json_t *j, int64_t *px, int64_t *qty)
{
    const char *here = j->p;
    if (BOG_LITERAL(j, "{\"price\":") && !bog_json_decimal(j, f->price_decimals, px) &&
        BOG_LITERAL(j, ",\"size\":") && !bog_json_decimal(j, f->size_decimals, qty) &&
        BOG_LITERAL(j, "}") && *px > 0 && *px < BOG_PX_MAX && *qty >= 0 && *qty < BOG_QTY_MAX)
        return 1;
    j->p = here;
    *px = *qty = -1;
    return 0;
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
        bog_text_t name;
        int first_in = 1;
        if (here >= j->end || *here != '{')
            return bog_json_fail(j, BOG_BAD_VALUE, what, here);
        in = !bog_frame_plain(f, j, &px, &qty);
        j->p += in;
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

static inline int bog_frame_trade_one(bog_frames_t *f, bog_json_t *j, uint8_t flags)
{
    const char *here = j->p;
    int64_t id = -1, px = -1, qty = -1, market = f->market, stamp_ms = -1, time_us = -1;
    int more, first = 1, side = -1;
    uint32_t seen = 0;
    bog_text_t name, type;
    if (here >= j->end || *here != '{')
        return bog_json_fail(j, BOG_BAD_VALUE, "trades", here);
    j->p++;
    while ((more = bog_json_member(j, &first, &name, "trades")) > 0) {
        int bad;
        if (BOG_IS(name, "trade_id")) {
            bad = bog_frame_once(j, &seen, 0, "trade_id") ||
                  bog_json_number(j, 0, 0, INT64_MAX, &id, "trade_id");
        } else if (BOG_IS(name, "price")) {
            bad = bog_frame_once(j, &seen, 1, "price") ||
                  bog_json_number(j, f->price_decimals, 1, BOG_PX_MAX - 1, &px, "price");
        } else if (BOG_IS(name, "size")) {
            bad = bog_frame_once(j, &seen, 2, "size") ||
                  bog_json_number(j, f->size_decimals, 1, BOG_QTY_MAX - 1, &qty, "size");
        } else if (BOG_IS(name, "is_maker_ask")) {
            bad = bog_frame_once(j, &seen, 3, "is_maker_ask");
            if (!bad) {
                /* the resting order was the ask, so the taker bought */
                side = BOG_LITERAL(j, "true") ? BOG_BID : BOG_LITERAL(j, "false") ? BOG_ASK : -1;
                if (side < 0)
                    bad = bog_json_fail(j, BOG_BAD_VALUE, "is_maker_ask", j->p);
            }
        } else if (BOG_IS(name, "market_id")) {
            bad = bog_frame_once(j, &seen, 4, "market_id") ||
                  bog_json_number(j, 0, 0, UINT32_MAX, &market, "market_id");
        } else if (BOG_IS(name, "timestamp")) {
            bad = bog_frame_once(j, &seen, 5, "timestamp") ||
                  bog_json_number(j, 0, 0, BOG_MS_MAX, &stamp_ms, "timestamp");
        } else if (BOG_IS(name, "transaction_time")) {
            bad = bog_frame_once(j, &seen, 6, "transaction_time") ||
                  bog_json_number(j, 0, 0, BOG_US_MAX, &time_us, "transaction_time");
        } else if (BOG_IS(name, "type")) {
            bad = bog_frame_once(j, &seen, 7, "type") || bog_json_word(j, &type, "type");
            if (!bad && (BOG_IS(type, "liquidation") || BOG_IS(type, "deleverage")))
                flags |= BOG_F_LIQUIDATION;
        } else {
            bad = bog_json_skip(j, 3, "trades");
        }
        if (bad)
            return j->error;
    }
    if (more < 0)
        return more;
    if (id < 0)
        return bog_json_fail(j, BOG_BAD_MISSING, "trade_id", here);
    if (px < 0)
        return bog_json_fail(j, BOG_BAD_MISSING, "price", here);
    if (qty < 0)
        return bog_json_fail(j, BOG_BAD_MISSING, "size", here);
    if (side < 0)
        return bog_json_fail(j, BOG_BAD_MISSING, "is_maker_ask", here);
    if (market != f->market)
        return bog_json_fail(j, BOG_BAD_MARKET, "market_id", here);
    if (f->n_trades == BOG_FRAME_TRADES)
        return bog_json_fail(j, BOG_BAD_ROOM, "trades", here);
    bog_frame_trade_t *t = &f->trades[f->n_trades++];
    t->id = id;
    t->px = px;
    t->qty = qty;
    t->exch_ns = time_us > 0 ? time_us * 1000 : stamp_ms > 0 ? stamp_ms * 1000000 : 0;
    t->side = (uint8_t)side;
    t->flags = flags;
    return 0;
}

static inline int bog_frame_trades(bog_frames_t *f, bog_json_t *j, uint8_t flags)
{
    int more, first = 1;
    if (BOG_LITERAL(j, "null"))
        return 0;
    if (j->p >= j->end || *j->p != '[')
        return bog_json_fail(j, BOG_BAD_VALUE, "trades", j->p);
    j->p++;
    while ((more = bog_json_element(j, &first, "trades")) > 0)
        if (bog_frame_trade_one(f, j, flags))
            return j->error;
    return more;
}

/* A statistic: exact, or 0 and counted. `""` is the venue's way to say that there is none. */
static inline int bog_frame_statistic(bog_frames_t *f, bog_json_t *j, int decimals, int64_t *out,
                                      const char *what)
{
    const char *p = j->p;
    int bad = BOG_LITERAL(j, "\"\"") ? BOG_BAD_DECIMALS : bog_json_decimal(j, decimals, out);
    if (bad == BOG_BAD_VALUE)
        return bog_json_fail(j, bad, what, p);
    if (bad || *out < 0 || *out >= BOG_PX_MAX) {
        *out = 0;
        f->inexact++;
    }
    return 0;
}

/* Percent per hour to ppm, to the nearest (halves away from zero); inexact ones are counted. */
static inline int bog_frame_funding(bog_frames_t *f, bog_json_t *j, int64_t *out, const char *what)
{
    const char *p = j->p;
    int64_t fine = 0;
    int bad = BOG_LITERAL(j, "\"\"") ? BOG_BAD_RANGE : bog_json_decimal(j, 4, out);
    if (bad == BOG_BAD_DECIMALS) {
        bog_json_t again = *j;
        again.p = p;
        bad = bog_json_decimal(&again, 12, &fine); /* 1e-8 ppm; finer still reads as 0 */
        *out = bad ? 0 : (fine + (fine < 0 ? -50000000 : 50000000)) / 100000000;
        f->inexact++;
        bad = bad == BOG_BAD_DECIMALS ? 0 : bad;
    }
    if (bad == BOG_BAD_VALUE)
        return bog_json_fail(j, bad, what, p);
    if (bad || *out > 1000000 || *out < -1000000) { /* the notional itself, every hour: garbage */
        *out = 0;
        f->inexact++;
    }
    return 0;
}

static inline int bog_frame_stats_one(bog_frames_t *f, bog_json_t *j, bog_frame_draft_t *d)
{
    const char *here = j->p;
    int64_t market = f->market, current = 0, paid = 0;
    int more, first = 1;
    uint32_t seen = 0;
    bog_text_t name;
    if (here >= j->end || *here != '{')
        return bog_json_fail(j, BOG_BAD_VALUE, "market_stats", here);
    j->p++;
    while ((more = bog_json_member(j, &first, &name, "market_stats")) > 0) {
        int bad;
        if (BOG_IS(name, "mark_price"))
            bad = bog_frame_once(j, &seen, 0, "mark_price") ||
                  bog_frame_statistic(f, j, f->price_decimals, &d->mark, "mark_price");
        else if (BOG_IS(name, "index_price"))
            bad = bog_frame_once(j, &seen, 1, "index_price") ||
                  bog_frame_statistic(f, j, f->price_decimals, &d->index, "index_price");
        else if (BOG_IS(name, "current_funding_rate"))
            bad = bog_frame_once(j, &seen, 2, "current_funding_rate") ||
                  bog_frame_funding(f, j, &current, "current_funding_rate");
        else if (BOG_IS(name, "funding_rate"))
            bad = bog_frame_once(j, &seen, 3, "funding_rate") ||
                  bog_frame_funding(f, j, &paid, "funding_rate");
        else if (BOG_IS(name, "market_id"))
            bad = bog_frame_once(j, &seen, 4, "market_id") ||
                  bog_json_number(j, 0, 0, UINT32_MAX, &market, "market_id");
        else
            bad = bog_json_skip(j, 3, "market_stats");
        if (bad)
            return j->error;
    }
    if (more < 0)
        return more;
    if (market != f->market)
        return bog_json_fail(j, BOG_BAD_MARKET, "market_id", here);
    if (!(seen & 1))
        return bog_json_fail(j, BOG_BAD_MISSING, "mark_price", here);
    d->funding_ppm = seen & 4 ? current : paid; /* the coming payment, else the last one */
    d->has_stats = 1;
    return 0;
}

static inline int bog_frame_stats(bog_frames_t *f, bog_json_t *j, bog_frame_draft_t *d)
{
    char mine[12];
    size_t n = sizeof(mine);
    uint32_t market = f->market, seen = 0;
    int more, first = 1;
    bog_text_t name;
    if (!d->all)
        return bog_frame_stats_one(f, j, d);
    if (j->p >= j->end || *j->p != '{')
        return bog_json_fail(j, BOG_BAD_VALUE, "market_stats", j->p);
    j->p++;
    do
        mine[--n] = (char)('0' + market % 10);
    while (market /= 10);
    while ((more = bog_json_member(j, &first, &name, "market_stats")) > 0) {
        if (bog_text_is(name, mine + n, sizeof(mine) - n)) {
            if (bog_frame_once(j, &seen, 0, "market_stats") || bog_frame_stats_one(f, j, d))
                return j->error;
        } else if (bog_json_skip(j, 2, "market_stats")) {
            return j->error;
        }
    }
    return more;
}

static inline void bog_frame_row(const bog_frames_t *f, bog_row_t *row, int kind, bog_ns_t exch_ns)
{
    memset(row, 0, sizeof(*row));
    row->kind = (uint8_t)kind;
    row->recv_ns = f->recv_ns;
    row->exch_ns = exch_ns;
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

/* The prints of a frame by rising trade id; one that stands in both lists is one print. */
static inline int bog_frame_trade_rows(bog_frames_t *f, bog_json_t *j, bog_row_t *out, int cap)
{
    bog_frame_trade_t *t = f->trades;
    int n = 0;
    for (int32_t i = 1; i < f->n_trades; i++) { /* few, and newest first */
        bog_frame_trade_t one = t[i];
        int32_t k = i;
        for (; k > 0 && t[k - 1].id > one.id; k--)
            t[k] = t[k - 1];
        t[k] = one;
    }
    for (int32_t i = 0; i < f->n_trades; i++) {
        if (i > 0 && t[i].id == t[i - 1].id) {
            bog_row_t *before = out + n - 1;
            if (before->px != t[i].px || before->qty != t[i].qty || before->side != t[i].side)
                return bog_json_fail(j, BOG_BAD_CONFLICT, "trade_id", j->end);
            before->flags |= t[i].flags;
            f->duplicates++;
            continue;
        }
        if (n == cap)
            return bog_json_fail(j, BOG_BAD_ROOM, "rows", j->end);
        bog_frame_row(f, out + n, BOG_ROW_TRADE, t[i].exch_ns);
        out[n].side = t[i].side;
        out[n].px = t[i].px;
        out[n].qty = t[i].qty;
        out[n].id = t[i].id;
        out[n].flags = t[i].flags;
        n++;
    }
    if (n)
        out[n - 1].eom = 1;
    return n;
}

/* The venue's number in an error frame, 0 when there is none to be had. */
static inline int64_t bog_frame_code(bog_json_t j, const char *error_at, const char *code_at)
{
    bog_text_t name;
    int first = 1;
    int64_t code = 0;
    j.p = error_at ? error_at : code_at;
    if (j.p && error_at && j.p < j.end && *j.p == '{') {
        j.p++;
        while (bog_json_member(&j, &first, &name, "error") > 0) {
            if (BOG_IS(name, "code"))
                return bog_json_decimal(&j, 0, &code) ? 0 : code;
            if (bog_json_skip(&j, 2, "error"))
                return 0;
        }
        return 0;
    }
    return j.p && !bog_json_decimal(&j, 0, &code) ? code : 0;
}

static inline int bog_frame_read(bog_frames_t *f, bog_json_t *j, bog_row_t *out, int cap)
{
    enum { TYPE, CHANNEL, BOOK, TRADES, LIQUIDATIONS, STATS, STAMP, UPDATED, OFFSET, ERROR, CODE };
    static const struct {
        const char *word;
        uint8_t n, kind, family;
    } types[] = {
#define BOG_TYPE(word, kind, family) { word, sizeof(word) - 1, kind, family }
        BOG_TYPE("update/order_book", BOG_FRAME_UPDATE, BOG_FAMILY_BOOK),
        BOG_TYPE("update/trade", BOG_FRAME_TRADES_NEW, BOG_FAMILY_TRADE),
        BOG_TYPE("update/market_stats", BOG_FRAME_STATS, BOG_FAMILY_STATS),
        BOG_TYPE("subscribed/order_book", BOG_FRAME_SNAPSHOT, BOG_FAMILY_BOOK),
        BOG_TYPE("subscribed/trade", BOG_FRAME_TRADES_PAST, BOG_FAMILY_TRADE),
        BOG_TYPE("subscribed/market_stats", BOG_FRAME_STATS, BOG_FAMILY_STATS),
        BOG_TYPE("ping", BOG_FRAME_PING, 0),
        BOG_TYPE("pong", BOG_FRAME_PONG, 0),
        BOG_TYPE("connected", BOG_FRAME_CONNECTED, 0),
        BOG_TYPE("unsubscribed", BOG_FRAME_UNSUBSCRIBED, 0),
        BOG_TYPE("shutdown", BOG_FRAME_SHUTDOWN, 0),
        BOG_TYPE("error", BOG_FRAME_ERROR, 0),
#undef BOG_TYPE
    };
    static const char *const content[] = { "order_book", "trades", "liquidation_trades",
                                           "market_stats" };
    static const uint8_t family_of[] = { BOG_FAMILY_BOOK, BOG_FAMILY_TRADE, BOG_FAMILY_TRADE,
                                         BOG_FAMILY_STATS };
    bog_frame_draft_t d;
    bog_text_t name, type = { 0, 0 }, channel;
    const char *waiting[4] = { 0, 0, 0, 0 }; /* content that stood before the channel */
    const char *error_at = 0, *code_at = 0;
    int more, first = 1, family = 0;
    uint32_t seen = 0;
    memset(&d, 0, sizeof(d));
    d.offset = d.inner_offset = d.nonce = d.begin_nonce = -1;
    f->n_levels[0] = f->n_levels[1] = f->n_trades = 0;
    if (bog_json_expect(j, '{', "frame"))
        return j->error;
    while ((more = bog_json_member(j, &first, &name, "frame")) > 0) {
        int bad, part = BOG_IS(name, "order_book")           ? 0
                        : BOG_IS(name, "trades")             ? 1
                        : BOG_IS(name, "liquidation_trades") ? 2
                        : BOG_IS(name, "market_stats")       ? 3
                                                             : -1;
        if (part >= 0) {
            bad = bog_frame_once(j, &seen, BOOK + part, content[part]);
            if (!bad && d.family == family_of[part] && d.ours) {
                bad = part == 0   ? bog_frame_book(f, j, &d)
                      : part == 3 ? bog_frame_stats(f, j, &d)
                                  : bog_frame_trades(f, j, part == 2 ? BOG_F_LIQUIDATION : 0);
            } else if (!bad) {
                if (d.family == BOG_FAMILY_UNKNOWN)
                    waiting[part] = j->p;
                bad = bog_json_skip(j, 1, content[part]);
            }
        } else if (BOG_IS(name, "type")) {
            bad = bog_frame_once(j, &seen, TYPE, "type") || bog_json_word(j, &type, "type");
        } else if (BOG_IS(name, "channel")) {
            bad = bog_frame_once(j, &seen, CHANNEL, "channel") ||
                  bog_json_word(j, &channel, "channel");
            if (!bad)
                bog_frame_channel(f, channel, &d);
        } else if (BOG_IS(name, "timestamp")) {
            bad = bog_frame_once(j, &seen, STAMP, "timestamp") ||
                  bog_json_number(j, 0, 0, BOG_MS_MAX, &d.timestamp_ms, "timestamp");
        } else if (BOG_IS(name, "last_updated_at")) {
            bad = bog_frame_once(j, &seen, UPDATED, "last_updated_at") ||
                  bog_json_number(j, 0, 0, BOG_US_MAX, &d.updated_us, "last_updated_at");
        } else if (BOG_IS(name, "offset")) {
            bad = bog_frame_once(j, &seen, OFFSET, "offset") ||
                  bog_json_number(j, 0, 0, INT64_MAX, &d.offset, "offset");
        } else {
            if (BOG_IS(name, "error")) {
                error_at = j->p;
                seen |= 1U << ERROR;
            } else if (BOG_IS(name, "code")) {
                code_at = j->p;
            }
            bad = bog_json_skip(j, 1, "frame");
        }
        if (bad)
            return j->error;
    }
    if (more < 0)
        return more;
    bog_json_space(j);
    if (j->p != j->end)
        return bog_json_fail(j, BOG_BAD_SYNTAX, "end of the frame", j->p);
    for (int part = 0; part < 4; part++) {
        if (!waiting[part] || d.family != family_of[part] || !d.ours)
            continue;
        bog_json_t back = *j;
        back.p = waiting[part];
        if (part == 0   ? bog_frame_book(f, &back, &d)
            : part == 3 ? bog_frame_stats(f, &back, &d)
                        : bog_frame_trades(f, &back, part == 2 ? BOG_F_LIQUIDATION : 0)) {
            *j = back;
            return j->error;
        }
    }
    if (!(seen & 1U << TYPE)) {
        if (!(seen & 1U << ERROR))
            return bog_json_fail(j, BOG_BAD_MISSING, "type", j->end);
        f->kind = BOG_FRAME_ERROR;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && type.s; i++) {
        if (bog_text_is(type, types[i].word, types[i].n)) {
            f->kind = types[i].kind;
            family = types[i].family;
            break;
        }
    }
    if (f->kind == BOG_FRAME_ERROR)
        f->code = bog_frame_code(*j, error_at, code_at);
    if (!family)
        return 0;
    if (d.family != family)
        return bog_json_fail(j, d.family ? BOG_BAD_VALUE : BOG_BAD_MISSING, "channel", j->end);
    if (!d.ours) {
        f->kind = BOG_FRAME_ELSEWHERE;
        return 0;
    }
    switch (f->kind) {
    case BOG_FRAME_SNAPSHOT:
        return bog_frame_book_rows(f, j, &d, 1, out, cap);
    case BOG_FRAME_UPDATE:
        return bog_frame_book_rows(f, j, &d, 0, out, cap);
    case BOG_FRAME_TRADES_NEW:
        return bog_frame_trade_rows(f, j, out, cap);
    case BOG_FRAME_STATS:
        if (!d.has_stats)
            return d.all ? 0 : bog_json_fail(j, BOG_BAD_MISSING, "market_stats", j->end);
        if (cap < 1)
            return bog_json_fail(j, BOG_BAD_ROOM, "rows", j->end);
        bog_frame_row(f, out, BOG_ROW_STATS, d.timestamp_ms * 1000000);
        out->px = d.mark;
        out->qty = d.index;
        out->id = d.funding_ppm;
        out->eom = 1;
        return 1;
    default:
        return 0;
    }
}

/*
 * Read one frame of n bytes into at most `cap` rows.
 *
 * Return the number of rows, or enum bog_frame_error; then `what` and `at` say where, no row counts
 * and the chain is untouched. Set recv_ns before; gen, seq and market of the rows are left 0.
 */
static int bog_parse_frame(const char *text, size_t n, bog_frames_t *f, bog_row_t *out, int cap)
{
    bog_json_t j = { text, text + n, text, "", 0, 0 };
    int rows;
    f->kind = BOG_FRAME_OTHER;
    f->code = 0;
    f->frames++;
    rows = bog_frame_read(f, &j, out, cap);
    f->error = j.error;
    f->at = j.at;
    f->what = j.what;
    return j.error ? j.error : rows;
}

#endif
