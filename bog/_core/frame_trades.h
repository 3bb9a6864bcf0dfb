/*
 * The `trades` and `liquidation_trades` of a frame: its prints into the parser, and from there into
 * rows by rising trade id.
 */
#ifndef BOG_FRAME_TRADES_H
#define BOG_FRAME_TRADES_H

#include "frame.h"

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

/* Remember how far history goes: it is no flow, and what repeats it later is none either. */
static inline void bog_frame_trade_past(bog_frames_t *f)
{
    int64_t newest = 0;
    for (int32_t i = 0; i < f->n_trades; i++)
        newest = f->trades[i].id > newest ? f->trades[i].id : newest;
    if (newest)
        f->last_trade = newest;
}

/*
 * The prints of a frame by rising trade id; one that stands in both lists is one print, and one that
 * is not newer than the last one known is none.
 */
static inline int bog_frame_trade_rows(bog_frames_t *f, bog_json_t *j, bog_row_t *out, int cap)
{
    bog_frame_trade_t *t = f->trades;
    uint64_t known = 0;
    int n = 0;
    for (int32_t i = 1; i < f->n_trades; i++) { /* few, and newest first */
        bog_frame_trade_t one = t[i];
        int32_t k = i;
        for (; k > 0 && t[k - 1].id > one.id; k--)
            t[k] = t[k - 1];
        t[k] = one;
    }
    for (int32_t i = 0; i < f->n_trades; i++) {
        if (f->last_trade && t[i].id <= f->last_trade) {
            known++;
            continue;
        }
        if (i > 0 && t[i].id == t[i - 1].id) {
            bog_row_t *before = out + n - 1;
            if (before->px != t[i].px || before->qty != t[i].qty || before->side != t[i].side)
                return bog_json_fail(j, BOG_BAD_CONFLICT, "trade_id", j->end);
            before->flags |= t[i].flags;
            known++;
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
    f->duplicates += known;
    if (n) {
        out[n - 1].eom = 1;
        f->last_trade = out[n - 1].id;
    }
    return n;
}

#endif
