/*
 * What the readers of a frame's parts share: the parser, the draft of one frame, and a row's stamp.
 *
 * One bog_frames_t follows one market on one connection. Owner: whoever reads the frames (the feed's
 * gateway, a replay).
 */
#ifndef BOG_FRAME_H
#define BOG_FRAME_H

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
    int32_t chain;      /* enum bog_frame_chain: the form of the last snapshot; NONE: no book */
    int32_t after_gap;  /* 1 from a gap to the snapshot that repairs it */
    int64_t last;       /* nonce or offset of the last frame taken */
    int64_t last_trade; /* id of the newest print known, from history or taken: none comes again */
    /* what was met, since the start */
    uint64_t frames;
    uint64_t duplicates; /* book frames and prints that came again */
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
    int family;     /* of the channel: enum bog_frame_family */
    int ours;       /* the channel is our market's, or `all` */
    int64_t market; /* of the channel, -1: none */
    int all;        /* market_stats:all */
    int has_stats;  /* our market was in it */
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

/* Begin a frame of which nothing is read yet. */
static inline void bog_frame_draft(bog_frames_t *f, bog_frame_draft_t *d)
{
    d->family = d->ours = d->all = d->has_stats = d->has_book = 0;
    d->market = d->timestamp_ms = d->updated_us = d->inner_updated_us = 0;
    d->mark = d->index = d->funding_ppm = 0;
    d->offset = d->inner_offset = d->nonce = d->begin_nonce = -1;
    f->n_levels[0] = f->n_levels[1] = f->n_trades = 0;
    f->kind = BOG_FRAME_OTHER;
}

static inline void bog_frame_row(const bog_frames_t *f, bog_row_t *row, int kind, bog_ns_t exch_ns)
{
    memset(row, 0, sizeof(*row));
    row->kind = (uint8_t)kind;
    row->recv_ns = f->recv_ns;
    row->exch_ns = exch_ns;
}

#endif
