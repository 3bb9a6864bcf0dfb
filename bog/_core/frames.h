/*
 * From the bytes of a public Lighter frame to market rows, exactly or not at all.
 *
 * Takes `order_book`, `trade` and `market_stats` frames (frame_book.h, frame_trades.h,
 * frame_stats.h), single or `all`, in any order of keys; every other frame is checked as JSON, named
 * by `kind` and yields no rows. Here is what stands around them: type, channel, times, errors.
 *
 * Invariant: a refused frame leaves the chain as it was.
 */
#ifndef BOG_FRAMES_H
#define BOG_FRAMES_H

#include "frame_book.h"
#include "frame_stats.h"
#include "frame_trades.h"

/* Split "order_book:1" (or with a slash) into family and market. */
static inline void bog_frame_channel(bog_text_t channel, bog_frame_draft_t *d)
{
    bog_text_t family = channel, rest = { channel.s + channel.n, 0 };
    int64_t market = 0;
    size_t i;
    d->market = -1;
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
    if (d->all || rest.n == 0 || rest.n > 10)
        return;
    for (i = 0; i < rest.n; i++) {
        if (rest.s[i] < '0' || rest.s[i] > '9')
            return;
        market = market * 10 + (rest.s[i] - '0');
    }
    d->market = market;
}

/*
 * Find out whose frame this is, without judging it: family, `all` and market of its channel.
 *
 * The venue puts the channel first, so that this reads a few bytes. Family UNKNOWN: there is no
 * channel, or none that can be read; whoever parses the frame then says what is wrong with it.
 */
static inline void bog_frame_route(const char *text, size_t n, bog_frame_draft_t *d)
{
    bog_json_t j = { text, text + n, text, "", 0, 0 };
    bog_text_t name, channel;
    int first = 1;
    d->all = 0;
    d->family = BOG_FAMILY_BOOK;
    if (bog_frame_book_channel(text, j.end, &d->market))
        return;
    d->family = BOG_FAMILY_UNKNOWN;
    d->market = -1;
    if (bog_json_expect(&j, '{', "frame"))
        return;
    while (bog_json_member(&j, &first, &name, "frame") > 0) {
        if (BOG_IS(name, "channel")) {
            if (!bog_json_word(&j, &channel, "channel"))
                bog_frame_channel(channel, d);
            return;
        }
        if (bog_json_skip(&j, 1, "frame"))
            return;
    }
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
    bog_frame_draft(f, &d);
    if (bog_frame_book_swift(f, j, &d))
        return bog_frame_book_rows(f, j, &d, f->kind == BOG_FRAME_SNAPSHOT, out, cap);
    bog_frame_draft(f, &d);
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
            if (!bad) {
                bog_frame_channel(channel, &d);
                d.ours = d.all || d.market == (int64_t)f->market;
            }
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
    case BOG_FRAME_TRADES_PAST:
        bog_frame_trade_past(f);
        return 0;
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
    f->code = 0;
    f->frames++;
    rows = bog_frame_read(f, &j, out, cap);
    f->error = j.error;
    f->at = j.at;
    f->what = j.what;
    return j.error ? j.error : rows;
}

#endif
